-- What users arrange their runs by: experiments, pipelines and versions; and what is known of a run beside its facts.
--
-- Text that users compare and sort by is NOCASE. Lists are ordered by (column, id) and a page may start at any row, so no
-- such column is NULL: an absent time is 0, an absent reference the identifier of zeros.

CREATE TABLE experiments (
    id                  BLOB    NOT NULL PRIMARY KEY,
    namespace           TEXT    NOT NULL,
    name                TEXT    NOT NULL COLLATE NOCASE,
    description         TEXT    NOT NULL COLLATE NOCASE,
    created_at          INTEGER NOT NULL,
    last_run_created_at INTEGER NOT NULL,
    storage_state       TEXT    NOT NULL CHECK (storage_state IN ('AVAILABLE', 'ARCHIVED'))
) STRICT;

CREATE UNIQUE INDEX experiments_of_namespace_by_name ON experiments (namespace, name);
CREATE INDEX experiments_by_name ON experiments (name, id);
CREATE INDEX experiments_by_age ON experiments (created_at, id);
CREATE INDEX experiments_of_namespace_by_age ON experiments (namespace, created_at, id);
CREATE INDEX experiments_stored_by_age ON experiments (storage_state, created_at, id);
CREATE INDEX experiments_of_namespace_stored_by_age ON experiments (namespace, storage_state, created_at, id);
CREATE INDEX experiments_by_last_run ON experiments (last_run_created_at, id);

CREATE TABLE pipelines (
    id           BLOB    NOT NULL PRIMARY KEY,
    namespace    TEXT    NOT NULL,
    name         TEXT    NOT NULL COLLATE NOCASE,
    display_name TEXT    NOT NULL COLLATE NOCASE,
    description  TEXT    NOT NULL COLLATE NOCASE,
    created_at   INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX pipelines_of_namespace_by_name ON pipelines (namespace, name);
CREATE INDEX pipelines_by_name ON pipelines (name, id);
CREATE INDEX pipelines_by_display_name ON pipelines (display_name, id);
CREATE INDEX pipelines_by_age ON pipelines (created_at, id);
CREATE INDEX pipelines_of_namespace_by_age ON pipelines (namespace, created_at, id);

CREATE TABLE pipeline_tags (
    pipeline_id BLOB NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    tag_key     TEXT NOT NULL,
    tag_value   TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (pipeline_id, tag_key)
) STRICT;

CREATE TABLE pipeline_versions (
    id              BLOB    NOT NULL PRIMARY KEY,
    pipeline_id     BLOB    NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    name            TEXT    NOT NULL COLLATE NOCASE,
    display_name    TEXT    NOT NULL COLLATE NOCASE,
    description     TEXT    NOT NULL COLLATE NOCASE,
    created_at      INTEGER NOT NULL,
    package_url     TEXT    NOT NULL,
    code_source_url TEXT    NOT NULL,
    -- Large, hence last: whoever looks at the columns before them does not read them.
    spec_json       TEXT    NOT NULL,
    pipeline_text   TEXT    NOT NULL
) STRICT;

CREATE UNIQUE INDEX versions_of_pipeline_by_name ON pipeline_versions (pipeline_id, name);
CREATE INDEX versions_of_pipeline_by_display_name ON pipeline_versions (pipeline_id, display_name, id);
CREATE INDEX versions_of_pipeline_by_age ON pipeline_versions (pipeline_id, created_at, id);

CREATE TABLE version_tags (
    version_id BLOB NOT NULL REFERENCES pipeline_versions (id) ON DELETE CASCADE,
    tag_key    TEXT NOT NULL,
    tag_value  TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (version_id, tag_key)
) STRICT;

-- References of a run outlive what they refer to, so none of them is a foreign key.
ALTER TABLE runs ADD COLUMN experiment_id BLOB NOT NULL DEFAULT x'00000000000000000000000000000000';
ALTER TABLE runs ADD COLUMN pipeline_id BLOB NOT NULL DEFAULT x'00000000000000000000000000000000';
ALTER TABLE runs ADD COLUMN version_id BLOB NOT NULL DEFAULT x'00000000000000000000000000000000';
ALTER TABLE runs ADD COLUMN recurring_run_id BLOB NOT NULL DEFAULT x'00000000000000000000000000000000';
ALTER TABLE runs ADD COLUMN pipeline_root TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN plugins_input_json TEXT NOT NULL DEFAULT '{}';
ALTER TABLE runs ADD COLUMN description TEXT NOT NULL COLLATE NOCASE DEFAULT '';
ALTER TABLE runs ADD COLUMN scheduled_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN storage_state TEXT NOT NULL DEFAULT 'AVAILABLE'
    CHECK (storage_state IN ('AVAILABLE', 'ARCHIVED'));
-- A run that was deleted while it was under way: hidden, until whoever ends it removes it.
ALTER TABLE runs ADD COLUMN deleted_at INTEGER;
-- The changes of its status, the oldest first: one JSON object a line.
ALTER TABLE runs ADD COLUMN history TEXT NOT NULL DEFAULT '';
-- The columns above them as lists compare them.
ALTER TABLE runs ADD COLUMN listed_name TEXT COLLATE NOCASE GENERATED ALWAYS AS (display_name) VIRTUAL;
ALTER TABLE runs ADD COLUMN listed_finish INTEGER GENERATED ALWAYS AS (COALESCE(finished_at, 0)) VIRTUAL;

-- No run that exists by now comes from a schedule.
UPDATE runs SET scheduled_at = created_at, history =
    json_object('at', created_at, 'status', 'PENDING', 'error', NULL) || char(10)
    || CASE WHEN started_at IS NULL OR status IN ('PENDING', 'RUNNING') THEN ''
            ELSE json_object('at', started_at, 'status', 'RUNNING', 'error', NULL) || char(10) END
    || CASE WHEN status = 'PENDING' THEN ''
            ELSE json_object('at', COALESCE(finished_at, started_at, created_at), 'status', status, 'error', error)
                 || char(10) END;

CREATE INDEX runs_of_experiment_by_age ON runs (experiment_id, created_at, id);
CREATE INDEX runs_stored_by_age ON runs (storage_state, created_at, id);
CREATE INDEX runs_of_experiment_stored_by_age ON runs (experiment_id, storage_state, created_at, id);
CREATE INDEX runs_of_namespace_stored_by_age ON runs (namespace, storage_state, created_at, id);
CREATE INDEX runs_of_status_by_age ON runs (status, created_at, id);
CREATE INDEX runs_listed_by_name ON runs (listed_name, id);
CREATE INDEX runs_listed_by_finish ON runs (listed_finish, id);
CREATE INDEX runs_deleted ON runs (id) WHERE deleted_at IS NOT NULL;

-- How many runs there are that are not hidden, so that nobody has to count a million of them.
CREATE TABLE run_counts (
    namespace     TEXT    NOT NULL,
    experiment_id BLOB    NOT NULL,
    storage_state TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    run_count     INTEGER NOT NULL,
    PRIMARY KEY (namespace, experiment_id, storage_state, status)
) STRICT;

INSERT INTO run_counts (namespace, experiment_id, storage_state, status, run_count)
    SELECT namespace, experiment_id, storage_state, status, COUNT(*) FROM runs
    GROUP BY namespace, experiment_id, storage_state, status;

CREATE TRIGGER run_counted_in AFTER INSERT ON runs BEGIN
    INSERT INTO run_counts (namespace, experiment_id, storage_state, status, run_count)
        VALUES (NEW.namespace, NEW.experiment_id, NEW.storage_state, NEW.status, 1)
        ON CONFLICT (namespace, experiment_id, storage_state, status) DO UPDATE SET run_count = run_count + 1;
END;

CREATE TRIGGER run_counted_out AFTER DELETE ON runs WHEN OLD.deleted_at IS NULL BEGIN
    UPDATE run_counts SET run_count = run_count - 1
        WHERE namespace = OLD.namespace AND experiment_id = OLD.experiment_id
            AND storage_state = OLD.storage_state AND status = OLD.status;
END;

CREATE TRIGGER run_hidden AFTER UPDATE OF deleted_at ON runs
WHEN OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL BEGIN
    UPDATE run_counts SET run_count = run_count - 1
        WHERE namespace = OLD.namespace AND experiment_id = OLD.experiment_id
            AND storage_state = OLD.storage_state AND status = OLD.status;
END;

CREATE TRIGGER run_recounted AFTER UPDATE OF storage_state, status ON runs
WHEN (OLD.storage_state <> NEW.storage_state OR OLD.status <> NEW.status) AND NEW.deleted_at IS NULL BEGIN
    UPDATE run_counts SET run_count = run_count - 1
        WHERE namespace = OLD.namespace AND experiment_id = OLD.experiment_id
            AND storage_state = OLD.storage_state AND status = OLD.status;
    INSERT INTO run_counts (namespace, experiment_id, storage_state, status, run_count)
        VALUES (NEW.namespace, NEW.experiment_id, NEW.storage_state, NEW.status, 1)
        ON CONFLICT (namespace, experiment_id, storage_state, status) DO UPDATE SET run_count = run_count + 1;
END;

-- What a command asks for, so that lists can tell which runs are about to be terminated or retried.
ALTER TABLE commands ADD COLUMN kind TEXT NOT NULL DEFAULT '';
UPDATE commands SET kind = COALESCE(json_extract(command_json, '$.command'), '') WHERE json_valid(command_json);
