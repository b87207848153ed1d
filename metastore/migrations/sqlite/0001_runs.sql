-- Runs, their facts, and what follows from the facts.
--
-- Times are nanoseconds since 1970 (UTC). Identifiers of 16 bytes are UUIDs. Columns that end in "json" hold JSON text.

CREATE TABLE runs (
    id              BLOB    NOT NULL PRIMARY KEY,
    name            TEXT    NOT NULL,
    display_name    TEXT    NOT NULL,
    pipeline_name   TEXT    NOT NULL,
    namespace       TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    -- Identity and settings in full (RunInfo); the columns above repeat what is searched for.
    info_json       TEXT    NOT NULL,
    options_json    TEXT    NOT NULL,
    status          TEXT    NOT NULL,
    error           TEXT,
    started_at      INTEGER,
    finished_at     INTEGER,
    -- The fence: whoever appends must hold the newest epoch and know how many facts there are.
    epoch           INTEGER NOT NULL DEFAULT 0,
    fact_count      INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX runs_newest ON runs (created_at DESC, id DESC);
CREATE INDEX runs_newest_of_namespace ON runs (namespace, created_at DESC, id DESC);
CREATE INDEX runs_newest_of_pipeline ON runs (pipeline_name, created_at DESC, id DESC);
CREATE INDEX runs_by_name ON runs (name);
CREATE INDEX runs_unfinished ON runs (created_at DESC, id DESC) WHERE finished_at IS NULL;

CREATE TABLE run_specs (
    run_id          BLOB NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    pipeline_text   TEXT NOT NULL,
    parameters_json TEXT NOT NULL
) STRICT;

-- The truth of a run. seq counts from 1 without gaps.
CREATE TABLE facts (
    run_id    BLOB    NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq       INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    fact_json TEXT    NOT NULL,
    PRIMARY KEY (run_id, seq)
) STRICT;

CREATE TABLE tasks (
    run_id       BLOB    NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    node         INTEGER NOT NULL,
    parent       INTEGER,
    path         TEXT    NOT NULL,
    task_key     TEXT    NOT NULL,
    display_name TEXT    NOT NULL,
    kind         TEXT    NOT NULL,
    status       TEXT    NOT NULL,
    attempt      INTEGER,
    cached       INTEGER NOT NULL,
    iteration    INTEGER,
    started_at   INTEGER,
    finished_at  INTEGER,
    error        TEXT,
    reason       TEXT,
    log_uri      TEXT,
    -- Absent when there are none yet, or when they are too large to repeat here; the facts have them.
    outputs_json TEXT,
    PRIMARY KEY (run_id, node),
    UNIQUE (run_id, path)
) STRICT;

-- Output artifacts of tasks. The same record appears again in each run that took it from the cache.
CREATE TABLE artifacts (
    run_id      BLOB    NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    node        INTEGER NOT NULL,
    output      TEXT    NOT NULL,
    position    INTEGER NOT NULL,
    artifact_id BLOB    NOT NULL,
    name        TEXT    NOT NULL,
    type_title  TEXT    NOT NULL,
    uri         TEXT    NOT NULL,
    digest      TEXT,
    size        INTEGER,
    -- The record in full, with its metadata.
    record_json TEXT    NOT NULL,
    PRIMARY KEY (run_id, node, output, position)
) STRICT;

CREATE INDEX artifacts_by_uri ON artifacts (uri, type_title);
CREATE INDEX artifacts_by_id ON artifacts (artifact_id);

CREATE TABLE cache_entries (
    id            INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    pipeline_name TEXT    NOT NULL,
    namespace     TEXT    NOT NULL,
    cache_key     TEXT    NOT NULL,
    run_id        BLOB    NOT NULL,
    task_path     TEXT    NOT NULL,
    outputs_json  TEXT    NOT NULL,
    -- What the key is the digest of, so that two keys can be compared part by part.
    key_json      TEXT    NOT NULL,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX cache_entries_by_key ON cache_entries (pipeline_name, namespace, cache_key, id DESC);
CREATE INDEX cache_entries_by_task ON cache_entries (pipeline_name, namespace, task_path, id DESC);

-- What somebody asked of a run. A row is taken in the transaction that stores the facts it led to.
CREATE TABLE commands (
    id              INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    run_id          BLOB    NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    idempotency_key TEXT    NOT NULL,
    command_json    TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    taken_at        INTEGER,
    UNIQUE (run_id, idempotency_key)
) STRICT;

CREATE INDEX commands_pending ON commands (run_id, id) WHERE taken_at IS NULL;
