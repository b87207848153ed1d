-- Everything, as SQLite's layout has it after its migration 5; what the tables and columns mean is said there.
--
-- Times are nanoseconds since 1970 (UTC). Columns that end in "json" hold JSON text. Text is compared and sorted by its
-- bytes, and by lower(), for which only ASCII has cases then, where users compare it. Whatever is not a number that is
-- counted is BIGINT all the same, so that there is one type of numbers.

CREATE TABLE runs (
    id                 UUID   NOT NULL PRIMARY KEY,
    name               TEXT   COLLATE "C" NOT NULL,
    display_name       TEXT   COLLATE "C" NOT NULL,
    pipeline_name      TEXT   COLLATE "C" NOT NULL,
    namespace          TEXT   COLLATE "C" NOT NULL,
    created_at         BIGINT NOT NULL,
    info_json          TEXT   COLLATE "C" NOT NULL,
    options_json       TEXT   COLLATE "C" NOT NULL,
    status             TEXT   COLLATE "C" NOT NULL,
    error              TEXT   COLLATE "C",
    started_at         BIGINT,
    finished_at        BIGINT,
    epoch              BIGINT NOT NULL DEFAULT 0,
    fact_count         BIGINT NOT NULL DEFAULT 0,
    experiment_id      UUID   NOT NULL,
    pipeline_id        UUID   NOT NULL,
    version_id         UUID   NOT NULL,
    recurring_run_id   UUID   NOT NULL,
    pipeline_root      TEXT   COLLATE "C" NOT NULL,
    plugins_input_json TEXT   COLLATE "C" NOT NULL,
    description        TEXT   COLLATE "C" NOT NULL,
    scheduled_at       BIGINT NOT NULL,
    storage_state      TEXT   COLLATE "C" NOT NULL DEFAULT 'AVAILABLE'
        CHECK (storage_state IN ('AVAILABLE', 'ARCHIVED')),
    deleted_at         BIGINT,
    history            TEXT   COLLATE "C" NOT NULL,
    -- As lists compare them.
    listed_name        TEXT   COLLATE "C" GENERATED ALWAYS AS (display_name) STORED,
    listed_finish      BIGINT GENERATED ALWAYS AS (COALESCE(finished_at, 0)) STORED
);

CREATE INDEX runs_newest ON runs (created_at, id);
CREATE INDEX runs_newest_of_namespace ON runs (namespace, created_at, id);
CREATE INDEX runs_newest_of_pipeline ON runs (pipeline_name, created_at, id);
CREATE INDEX runs_by_name ON runs (name);
CREATE INDEX runs_by_display_name ON runs (display_name);
CREATE INDEX runs_unfinished ON runs (created_at, id) WHERE finished_at IS NULL;
CREATE INDEX runs_of_experiment_by_age ON runs (experiment_id, created_at, id);
CREATE INDEX runs_stored_by_age ON runs (storage_state, created_at, id);
CREATE INDEX runs_of_experiment_stored_by_age ON runs (experiment_id, storage_state, created_at, id);
CREATE INDEX runs_of_namespace_stored_by_age ON runs (namespace, storage_state, created_at, id);
CREATE INDEX runs_of_status_by_age ON runs (status, created_at, id);
CREATE INDEX runs_listed_by_name ON runs (lower(listed_name), id);
CREATE INDEX runs_listed_by_finish ON runs (listed_finish, id);
CREATE INDEX runs_deleted ON runs (id) WHERE deleted_at IS NOT NULL;
CREATE INDEX runs_of_recurring_by_age ON runs (recurring_run_id, created_at, id);
CREATE INDEX runs_of_recurring_active ON runs (recurring_run_id) WHERE finished_at IS NULL;

CREATE TABLE run_specs (
    run_id          UUID NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    pipeline_text   TEXT COLLATE "C" NOT NULL,
    parameters_json TEXT COLLATE "C" NOT NULL
);

CREATE TABLE facts (
    run_id    UUID   NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    seq       BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    fact_json TEXT   COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, seq)
);

CREATE TABLE tasks (
    run_id       UUID   NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    node         BIGINT NOT NULL,
    parent       BIGINT,
    path         TEXT   COLLATE "C" NOT NULL,
    task_key     TEXT   COLLATE "C" NOT NULL,
    display_name TEXT   COLLATE "C" NOT NULL,
    kind         TEXT   COLLATE "C" NOT NULL,
    status       TEXT   COLLATE "C" NOT NULL,
    attempt      BIGINT,
    cached       BIGINT NOT NULL,
    iteration    BIGINT,
    started_at   BIGINT,
    finished_at  BIGINT,
    error        TEXT   COLLATE "C",
    reason       TEXT   COLLATE "C",
    log_uri      TEXT   COLLATE "C",
    outputs_json TEXT   COLLATE "C",
    PRIMARY KEY (run_id, node),
    UNIQUE (run_id, path)
);

CREATE TABLE artifacts (
    run_id      UUID   NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    node        BIGINT NOT NULL,
    output      TEXT   COLLATE "C" NOT NULL,
    position    BIGINT NOT NULL,
    artifact_id UUID   NOT NULL,
    name        TEXT   COLLATE "C" NOT NULL,
    type_title  TEXT   COLLATE "C" NOT NULL,
    uri         TEXT   COLLATE "C" NOT NULL,
    digest      TEXT   COLLATE "C",
    size        BIGINT,
    record_json TEXT   COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, node, output, position)
);

-- Of any length, unlike what the other kind of index holds.
CREATE INDEX artifacts_by_uri ON artifacts USING hash (uri);
CREATE INDEX artifacts_by_id ON artifacts (artifact_id);

CREATE TABLE cache_entries (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline_name TEXT   COLLATE "C" NOT NULL,
    namespace     TEXT   COLLATE "C" NOT NULL,
    cache_key     TEXT   COLLATE "C" NOT NULL,
    run_id        UUID   NOT NULL,
    task_path     TEXT   COLLATE "C" NOT NULL,
    outputs_json  TEXT   COLLATE "C" NOT NULL,
    key_json      TEXT   COLLATE "C" NOT NULL,
    created_at    BIGINT NOT NULL
);

CREATE INDEX cache_entries_by_key ON cache_entries (pipeline_name, namespace, cache_key, id);
CREATE INDEX cache_entries_by_task ON cache_entries (pipeline_name, namespace, task_path, id);

CREATE TABLE commands (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id          UUID   NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    idempotency_key TEXT   COLLATE "C" NOT NULL,
    command_json    TEXT   COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL,
    taken_at        BIGINT,
    kind            TEXT   COLLATE "C" NOT NULL,
    UNIQUE (run_id, idempotency_key)
);

CREATE INDEX commands_pending ON commands (run_id, id) WHERE taken_at IS NULL;

CREATE TABLE remarks (
    run_id  UUID   NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    kind    TEXT   COLLATE "C" NOT NULL,
    subject TEXT   COLLATE "C" NOT NULL,
    at      BIGINT NOT NULL,
    text    TEXT   COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, kind, subject)
);

CREATE TABLE experiments (
    id                  UUID   NOT NULL PRIMARY KEY,
    namespace           TEXT   COLLATE "C" NOT NULL,
    name                TEXT   COLLATE "C" NOT NULL,
    description         TEXT   COLLATE "C" NOT NULL,
    created_at          BIGINT NOT NULL,
    last_run_created_at BIGINT NOT NULL,
    storage_state       TEXT   COLLATE "C" NOT NULL CHECK (storage_state IN ('AVAILABLE', 'ARCHIVED'))
);

CREATE UNIQUE INDEX experiments_of_namespace_by_name ON experiments (namespace, lower(name));
CREATE INDEX experiments_by_name ON experiments (lower(name), id);
CREATE INDEX experiments_by_age ON experiments (created_at, id);
CREATE INDEX experiments_of_namespace_by_age ON experiments (namespace, created_at, id);
CREATE INDEX experiments_stored_by_age ON experiments (storage_state, created_at, id);
CREATE INDEX experiments_of_namespace_stored_by_age ON experiments (namespace, storage_state, created_at, id);
CREATE INDEX experiments_by_last_run ON experiments (last_run_created_at, id);

CREATE TABLE pipelines (
    id           UUID   NOT NULL PRIMARY KEY,
    namespace    TEXT   COLLATE "C" NOT NULL,
    name         TEXT   COLLATE "C" NOT NULL,
    display_name TEXT   COLLATE "C" NOT NULL,
    description  TEXT   COLLATE "C" NOT NULL,
    created_at   BIGINT NOT NULL
);

CREATE UNIQUE INDEX pipelines_of_namespace_by_name ON pipelines (namespace, lower(name));
CREATE INDEX pipelines_by_name ON pipelines (lower(name), id);
CREATE INDEX pipelines_by_display_name ON pipelines (lower(display_name), id);
CREATE INDEX pipelines_by_age ON pipelines (created_at, id);
CREATE INDEX pipelines_of_namespace_by_age ON pipelines (namespace, created_at, id);

CREATE TABLE pipeline_tags (
    pipeline_id UUID NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    tag_key     TEXT COLLATE "C" NOT NULL,
    tag_value   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (pipeline_id, tag_key)
);

CREATE TABLE pipeline_versions (
    id              UUID   NOT NULL PRIMARY KEY,
    pipeline_id     UUID   NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
    name            TEXT   COLLATE "C" NOT NULL,
    display_name    TEXT   COLLATE "C" NOT NULL,
    description     TEXT   COLLATE "C" NOT NULL,
    created_at      BIGINT NOT NULL,
    package_url     TEXT   COLLATE "C" NOT NULL,
    code_source_url TEXT   COLLATE "C" NOT NULL,
    spec_json       TEXT   COLLATE "C" NOT NULL,
    pipeline_text   TEXT   COLLATE "C" NOT NULL
);

CREATE UNIQUE INDEX versions_of_pipeline_by_name ON pipeline_versions (pipeline_id, lower(name));
CREATE INDEX versions_of_pipeline_by_display_name ON pipeline_versions (pipeline_id, lower(display_name), id);
CREATE INDEX versions_of_pipeline_by_age ON pipeline_versions (pipeline_id, created_at, id);

CREATE TABLE version_tags (
    version_id UUID NOT NULL REFERENCES pipeline_versions (id) ON DELETE CASCADE,
    tag_key    TEXT COLLATE "C" NOT NULL,
    tag_value  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (version_id, tag_key)
);

CREATE TABLE recurring_runs (
    id                 UUID   NOT NULL PRIMARY KEY,
    namespace          TEXT   COLLATE "C" NOT NULL,
    display_name       TEXT   COLLATE "C" NOT NULL,
    description        TEXT   COLLATE "C" NOT NULL,
    experiment_id      UUID   NOT NULL,
    created_at         BIGINT NOT NULL,
    updated_at         BIGINT NOT NULL,
    run_name           TEXT   COLLATE "C" NOT NULL,
    enabled            BIGINT NOT NULL CHECK (enabled IN (0, 1)),
    max_concurrency    BIGINT NOT NULL,
    no_catchup         BIGINT NOT NULL CHECK (no_catchup IN (0, 1)),
    trigger_json       TEXT   COLLATE "C" NOT NULL,
    fired_count        BIGINT NOT NULL DEFAULT 0,
    last_fired_at      BIGINT,
    service_account    TEXT   COLLATE "C" NOT NULL,
    pipeline_root      TEXT   COLLATE "C" NOT NULL,
    parameters_json    TEXT   COLLATE "C" NOT NULL,
    plugins_input_json TEXT   COLLATE "C" NOT NULL,
    pipeline_id        UUID   NOT NULL,
    version_id         UUID   NOT NULL,
    pipeline_text      TEXT   COLLATE "C" NOT NULL
);

CREATE INDEX recurring_runs_by_age ON recurring_runs (created_at, id);
CREATE INDEX recurring_runs_of_namespace_by_age ON recurring_runs (namespace, created_at, id);
CREATE INDEX recurring_runs_of_experiment_by_age ON recurring_runs (experiment_id, created_at, id);
CREATE INDEX recurring_runs_by_name ON recurring_runs (lower(display_name), id);
CREATE INDEX recurring_runs_by_update ON recurring_runs (updated_at, id);
CREATE INDEX recurring_runs_enabled ON recurring_runs (id) WHERE enabled = 1;

-- How many runs there are that are not hidden, so that nobody has to count a million of them.
CREATE TABLE run_counts (
    namespace     TEXT   COLLATE "C" NOT NULL,
    experiment_id UUID   NOT NULL,
    storage_state TEXT   COLLATE "C" NOT NULL,
    status        TEXT   COLLATE "C" NOT NULL,
    run_count     BIGINT NOT NULL,
    PRIMARY KEY (namespace, experiment_id, storage_state, status)
) WITH (fillfactor = 50);

CREATE FUNCTION count_run(run runs, change BIGINT) RETURNS void LANGUAGE sql AS $$
    INSERT INTO run_counts (namespace, experiment_id, storage_state, status, run_count)
        VALUES (run.namespace, run.experiment_id, run.storage_state, run.status, change)
        ON CONFLICT (namespace, experiment_id, storage_state, status)
            DO UPDATE SET run_count = run_counts.run_count + excluded.run_count
$$;

CREATE FUNCTION count_runs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND OLD.deleted_at IS NULL THEN
        PERFORM count_run(OLD, -1);
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.deleted_at IS NULL THEN
        PERFORM count_run(NEW, 1);
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER run_counted AFTER INSERT OR DELETE ON runs FOR EACH ROW EXECUTE FUNCTION count_runs();

CREATE TRIGGER run_recounted AFTER UPDATE OF deleted_at, storage_state, status ON runs FOR EACH ROW
    WHEN (OLD.storage_state <> NEW.storage_state OR OLD.status <> NEW.status
        OR (OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL))
    EXECUTE FUNCTION count_runs();

-- The newest transaction of each process that writes: one that loses the connection during a commit looks here what has
-- become of it.
CREATE TABLE writers (
    id    UUID        NOT NULL PRIMARY KEY,
    batch BIGINT      NOT NULL,
    at    TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 50);
