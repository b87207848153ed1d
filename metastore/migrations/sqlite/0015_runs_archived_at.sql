-- Since when a run is archived. NULL: it is not, or since before this was noted; then its end counts in the stead.
ALTER TABLE runs ADD COLUMN archived_at INTEGER;

-- Archived runs in the order in which they may go.
CREATE INDEX runs_archived ON runs (storage_state, COALESCE(archived_at, finished_at), id)
    WHERE storage_state = 'ARCHIVED' AND finished_at IS NOT NULL AND deleted_at IS NULL;
