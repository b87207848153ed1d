-- Runs by what they were made of and what came out of them, as SQLite's layout has it after its migration 12; what the
-- tables and columns mean is said there.

CREATE INDEX runs_of_pipeline_by_age ON runs (pipeline_id, created_at, id);
CREATE INDEX runs_of_version_by_age ON runs (version_id, created_at, id);

CREATE INDEX pipeline_tags_by_value ON pipeline_tags (tag_key, lower(tag_value), pipeline_id);
CREATE INDEX version_tags_by_value ON version_tags (tag_key, lower(tag_value), version_id);

CREATE TABLE run_values (
    run_id        UUID   NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    value_key     TEXT   COLLATE "C" NOT NULL,
    text          TEXT   COLLATE "C" NOT NULL,
    number        DOUBLE PRECISION,
    node          BIGINT,
    run_namespace TEXT   COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, value_key)
);

CREATE INDEX run_values_by_text ON run_values (value_key, text, run_namespace, run_id);
CREATE INDEX run_values_by_number ON run_values (value_key, number, run_id, run_namespace) WHERE number IS NOT NULL;

CREATE TABLE unrecorded_values (
    run_id UUID NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE
);

INSERT INTO unrecorded_values (run_id) SELECT id FROM runs;
