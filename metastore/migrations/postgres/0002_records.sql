-- What is recorded across runs, as SQLite's layout has it after its migration 6; what the tables and columns mean is said
-- there.

CREATE TABLE artifact_records (
    artifact_id   UUID   NOT NULL PRIMARY KEY,
    namespace     TEXT   COLLATE "C" NOT NULL,
    pipeline_name TEXT   COLLATE "C" NOT NULL,
    run_id        UUID   NOT NULL,
    node          BIGINT NOT NULL,
    task_path     TEXT   COLLATE "C" NOT NULL,
    output        TEXT   COLLATE "C" NOT NULL,
    position      BIGINT NOT NULL,
    name          TEXT   COLLATE "C" NOT NULL,
    type_title    TEXT   COLLATE "C" NOT NULL,
    uri           TEXT   COLLATE "C" NOT NULL,
    digest        TEXT   COLLATE "C",
    recorded_at   BIGINT NOT NULL,
    record_json   TEXT   COLLATE "C" NOT NULL
);

INSERT INTO artifact_records (artifact_id, namespace, pipeline_name, run_id, node, task_path, output, position, name,
                              type_title, uri, digest, recorded_at, record_json)
    SELECT artifact_id, namespace, pipeline_name, run_id, node, path, output, position, name, type_title, uri, digest,
           recorded_at, record_json
    FROM (
        SELECT artifacts.artifact_id, runs.namespace, runs.pipeline_name, artifacts.run_id, artifacts.node,
               COALESCE(tasks.path, '') AS path, artifacts.output, artifacts.position, artifacts.name,
               artifacts.type_title, artifacts.uri, artifacts.digest,
               COALESCE(tasks.finished_at, runs.created_at) AS recorded_at, artifacts.record_json,
               ROW_NUMBER() OVER (
                   PARTITION BY artifacts.artifact_id
                   ORDER BY COALESCE(tasks.cached, 0), runs.created_at, runs.id, artifacts.node, artifacts.output,
                            artifacts.position
               ) AS place
        FROM artifacts
        JOIN runs ON runs.id = artifacts.run_id
        LEFT JOIN tasks ON tasks.run_id = artifacts.run_id AND tasks.node = artifacts.node
    ) AS placed
    WHERE place = 1;

-- Of texts that may be of any length, indices have the beginning: more than a third of a page they do not take.
CREATE INDEX artifact_records_by_age ON artifact_records (namespace, recorded_at, artifact_id);
CREATE INDEX artifact_records_by_type ON artifact_records (namespace, left(type_title, 400), recorded_at, artifact_id);
CREATE INDEX artifact_records_by_name ON artifact_records (namespace, left(name, 400), recorded_at, artifact_id);
CREATE INDEX artifact_records_by_uri ON artifact_records (namespace, left(uri, 400), recorded_at, artifact_id);
CREATE INDEX artifact_records_by_digest ON artifact_records (namespace, digest, recorded_at, artifact_id);
CREATE INDEX artifact_records_by_task ON artifact_records (namespace, task_path, recorded_at, artifact_id);
CREATE INDEX artifact_records_by_pipeline ON artifact_records (namespace, pipeline_name, recorded_at, artifact_id);

DROP INDEX artifacts_by_id;
CREATE INDEX artifacts_by_id ON artifacts (artifact_id, run_id, node, output, position);

-- The artifacts of runs that the same statement has deleted before are still there at this point; those runs are not.
CREATE FUNCTION forget_artifact_records() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM artifact_records
        WHERE artifact_id IN (SELECT artifact_id FROM artifacts WHERE run_id = OLD.id)
            AND NOT EXISTS (
                SELECT 1 FROM artifacts AS other JOIN runs ON runs.id = other.run_id
                WHERE other.artifact_id = artifact_records.artifact_id AND other.run_id <> OLD.id);
    RETURN OLD;
END
$$;

CREATE TRIGGER artifact_records_of_deleted_run BEFORE DELETE ON runs FOR EACH ROW
    EXECUTE FUNCTION forget_artifact_records();

CREATE TABLE task_inputs (
    run_id      UUID   NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    node        BIGINT NOT NULL,
    input       TEXT   COLLATE "C" NOT NULL,
    position    BIGINT NOT NULL,
    artifact_id UUID   NOT NULL,
    taken_at    BIGINT NOT NULL,
    PRIMARY KEY (run_id, node, input, position)
);

CREATE INDEX task_inputs_of_artifact ON task_inputs (artifact_id, taken_at, run_id, node, input, position);

CREATE TABLE unrecorded_inputs (
    run_id UUID NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE
);

INSERT INTO unrecorded_inputs (run_id) SELECT id FROM runs WHERE fact_count > 0;

CREATE INDEX cache_entries_of_namespace ON cache_entries (namespace, id);
CREATE INDEX cache_entries_of_pipeline ON cache_entries (namespace, pipeline_name, id);
CREATE INDEX cache_entries_of_run ON cache_entries (run_id);

CREATE TABLE changes (
    id          BIGINT NOT NULL PRIMARY KEY,
    namespace   TEXT   COLLATE "C" NOT NULL,
    run_id      UUID   NOT NULL,
    kind        TEXT   COLLATE "C" NOT NULL,
    at          BIGINT NOT NULL,
    detail_json TEXT   COLLATE "C" NOT NULL
);

CREATE INDEX changes_of_namespace ON changes (namespace, id);

-- Changed with nearly every transaction, in place as long as its page has room.
CREATE TABLE change_counter (
    only_row  BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    last_id   BIGINT NOT NULL,
    pruned_id BIGINT NOT NULL
) WITH (fillfactor = 50);

INSERT INTO change_counter (only_row, last_id, pruned_id) VALUES (1, 0, 0);

CREATE TABLE notification_rules (
    name        TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    position    BIGINT NOT NULL,
    owner       TEXT   COLLATE "C" NOT NULL,
    owned_until BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    delivered   BIGINT NOT NULL,
    failed      BIGINT NOT NULL,
    missed      BIGINT NOT NULL
);

CREATE TABLE notification_failures (
    rule       TEXT   COLLATE "C" NOT NULL,
    change_id  BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    attempts   BIGINT NOT NULL,
    error      TEXT   COLLATE "C" NOT NULL,
    event_json TEXT   COLLATE "C" NOT NULL,
    PRIMARY KEY (rule, change_id)
);
