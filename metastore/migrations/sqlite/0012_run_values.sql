-- Runs by what they were made of and what came out of them: pipelines, tags, parameters and scalar metrics.

CREATE INDEX runs_of_pipeline_by_age ON runs (pipeline_id, created_at, id);
CREATE INDEX runs_of_version_by_age ON runs (version_id, created_at, id);

CREATE INDEX pipeline_tags_by_value ON pipeline_tags (tag_key, tag_value, pipeline_id);
CREATE INDEX version_tags_by_value ON version_tags (tag_key, tag_value, version_id);

-- Parameters of a run ("p." and the name) and the scalars of its metrics ("m." and the name), as far as they are short.
CREATE TABLE run_values (
    run_id        BLOB    NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    value_key     TEXT    NOT NULL,
    -- A text as it is, anything else as JSON.
    text          TEXT    NOT NULL,
    -- Of what is a number.
    number        REAL,
    -- The task that put a metric out.
    node          INTEGER,
    run_namespace TEXT    NOT NULL,
    PRIMARY KEY (run_id, value_key)
) STRICT, WITHOUT ROWID;

CREATE INDEX run_values_by_text ON run_values (value_key, text, run_namespace, run_id);
CREATE INDEX run_values_by_number ON run_values (value_key, number, run_id, run_namespace) WHERE number IS NOT NULL;

-- Runs that were made before values were recorded, until somebody has looked at them again.
CREATE TABLE unrecorded_values (
    run_id BLOB NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

INSERT INTO unrecorded_values (run_id) SELECT id FROM runs;
