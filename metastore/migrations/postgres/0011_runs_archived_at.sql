-- Since when a run is archived, as SQLite's layout has it after its migration 15.
ALTER TABLE runs ADD COLUMN archived_at BIGINT;

CREATE INDEX runs_archived ON runs (storage_state, COALESCE(archived_at, finished_at), id)
    WHERE storage_state = 'ARCHIVED' AND finished_at IS NOT NULL AND deleted_at IS NULL;
