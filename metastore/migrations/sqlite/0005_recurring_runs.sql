-- Recurring runs: what makes runs by itself, when, and how far it has come.
--
-- As before: text that users compare is NOCASE, an absent time is 0, an absent reference the identifier of zeros.

CREATE TABLE recurring_runs (
    id                 BLOB    NOT NULL PRIMARY KEY,
    namespace          TEXT    NOT NULL,
    display_name       TEXT    NOT NULL COLLATE NOCASE,
    description        TEXT    NOT NULL COLLATE NOCASE,
    experiment_id      BLOB    NOT NULL,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    -- What the names of its runs begin with.
    run_name           TEXT    NOT NULL,
    enabled            INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    max_concurrency    INTEGER NOT NULL,
    no_catchup         INTEGER NOT NULL CHECK (no_catchup IN (0, 1)),
    trigger_json       TEXT    NOT NULL,
    -- How many slots have fired, and the last of them. A slot fires by moving both on at once.
    fired_count        INTEGER NOT NULL DEFAULT 0,
    last_fired_at      INTEGER,
    service_account    TEXT    NOT NULL,
    pipeline_root      TEXT    NOT NULL,
    parameters_json    TEXT    NOT NULL,
    plugins_input_json TEXT    NOT NULL,
    pipeline_id        BLOB    NOT NULL,
    version_id         BLOB    NOT NULL,
    -- Large, hence last. Empty where each run takes the latest version of the pipeline.
    pipeline_text      TEXT    NOT NULL
) STRICT;

CREATE INDEX recurring_runs_by_age ON recurring_runs (created_at, id);
CREATE INDEX recurring_runs_of_namespace_by_age ON recurring_runs (namespace, created_at, id);
CREATE INDEX recurring_runs_of_experiment_by_age ON recurring_runs (experiment_id, created_at, id);
CREATE INDEX recurring_runs_by_name ON recurring_runs (display_name, id);
CREATE INDEX recurring_runs_by_update ON recurring_runs (updated_at, id);
CREATE INDEX recurring_runs_enabled ON recurring_runs (id) WHERE enabled = 1;

-- The runs of a recurring run, and those of them that are under way.
CREATE INDEX runs_of_recurring_by_age ON runs (recurring_run_id, created_at, id);
CREATE INDEX runs_of_recurring_active ON runs (recurring_run_id) WHERE finished_at IS NULL;
