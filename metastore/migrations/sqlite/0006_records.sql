-- What is recorded across runs: artifacts once each, which task took which of them, and what changed in which order.
--
-- As before: times are nanoseconds since 1970, and everything but the notifications' own state follows from what is stored
-- in the same transaction.

-- Each artifact once, with the task that made the record: the first that was stored with it. It outlives that task's run
-- as long as another run has the artifact from the cache.
CREATE TABLE artifact_records (
    artifact_id   BLOB    NOT NULL PRIMARY KEY,
    namespace     TEXT    NOT NULL,
    pipeline_name TEXT    NOT NULL,
    run_id        BLOB    NOT NULL,
    node          INTEGER NOT NULL,
    task_path     TEXT    NOT NULL,
    output        TEXT    NOT NULL,
    position      INTEGER NOT NULL,
    name          TEXT    NOT NULL,
    type_title    TEXT    NOT NULL,
    uri           TEXT    NOT NULL,
    digest        TEXT,
    recorded_at   INTEGER NOT NULL,
    record_json   TEXT    NOT NULL
) STRICT;

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

CREATE INDEX artifact_records_by_age ON artifact_records (namespace, recorded_at, artifact_id);
CREATE INDEX artifact_records_by_type ON artifact_records (namespace, type_title, recorded_at, artifact_id);
CREATE INDEX artifact_records_by_name ON artifact_records (namespace, name, recorded_at, artifact_id);
CREATE INDEX artifact_records_by_uri ON artifact_records (namespace, uri, recorded_at, artifact_id);
CREATE INDEX artifact_records_by_digest ON artifact_records (namespace, digest, recorded_at, artifact_id);
CREATE INDEX artifact_records_by_task ON artifact_records (namespace, task_path, recorded_at, artifact_id);
CREATE INDEX artifact_records_by_pipeline ON artifact_records (namespace, pipeline_name, recorded_at, artifact_id);
-- The runs that have an artifact, in an order to page through.
DROP INDEX artifacts_by_id;
CREATE INDEX artifacts_by_id ON artifacts (artifact_id, run_id, node, output, position);

-- A record goes with the last run that has the artifact.
CREATE TRIGGER artifact_records_of_deleted_run BEFORE DELETE ON runs BEGIN
    DELETE FROM artifact_records
        WHERE artifact_id IN (SELECT artifact_id FROM artifacts WHERE run_id = OLD.id)
            AND NOT EXISTS (
                SELECT 1 FROM artifacts AS other
                WHERE other.artifact_id = artifact_records.artifact_id AND other.run_id <> OLD.id);
END;

-- Artifacts that tasks took as inputs, those whose result then came from the cache included.
CREATE TABLE task_inputs (
    run_id      BLOB    NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    node        INTEGER NOT NULL,
    input       TEXT    NOT NULL,
    position    INTEGER NOT NULL,
    artifact_id BLOB    NOT NULL,
    taken_at    INTEGER NOT NULL,
    PRIMARY KEY (run_id, node, input, position)
) STRICT;

CREATE INDEX task_inputs_of_artifact ON task_inputs (artifact_id, taken_at, run_id, node, input, position);

-- Runs that began before inputs were recorded, until somebody has read their facts again.
CREATE TABLE unrecorded_inputs (
    run_id BLOB NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE
) STRICT;

INSERT INTO unrecorded_inputs (run_id) SELECT id FROM runs WHERE fact_count > 0;

-- Cached results as lists show them: the newest first.
CREATE INDEX cache_entries_of_namespace ON cache_entries (namespace, id);
CREATE INDEX cache_entries_of_pipeline ON cache_entries (namespace, pipeline_name, id);
CREATE INDEX cache_entries_of_run ON cache_entries (run_id);

-- What changed, in the order in which it became visible; the oldest are pruned.
CREATE TABLE changes (
    id          INTEGER NOT NULL PRIMARY KEY,
    namespace   TEXT    NOT NULL,
    run_id      BLOB    NOT NULL,
    kind        TEXT    NOT NULL,
    at          INTEGER NOT NULL,
    detail_json TEXT    NOT NULL
) STRICT;

CREATE INDEX changes_of_namespace ON changes (namespace, id);

-- Numbers of changes come from this row, not from a sequence: whoever takes one holds the row until the end of the
-- transaction, so numbers become visible in their order, where several transactions can be under way at a time too. A
-- reader that has seen a number has seen all below it.
CREATE TABLE change_counter (
    only_row  INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    last_id   INTEGER NOT NULL,
    pruned_id INTEGER NOT NULL
) STRICT;

INSERT INTO change_counter (only_row, last_id, pruned_id) VALUES (1, 0, 0);

-- How far the notifications of a rule have come, and which process sends them.
CREATE TABLE notification_rules (
    name        TEXT    NOT NULL PRIMARY KEY,
    position    INTEGER NOT NULL,
    owner       TEXT    NOT NULL,
    owned_until INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    delivered   INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    -- Changes that were pruned before they were looked at.
    missed      INTEGER NOT NULL
) STRICT;

-- Notifications that were given up.
CREATE TABLE notification_failures (
    rule       TEXT    NOT NULL,
    change_id  INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    attempts   INTEGER NOT NULL,
    error      TEXT    NOT NULL,
    event_json TEXT    NOT NULL,
    PRIMARY KEY (rule, change_id)
) STRICT;
