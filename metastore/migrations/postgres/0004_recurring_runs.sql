-- Recurring runs, as SQLite's layout has them after its migration 8.

ALTER TABLE recurring_runs ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE recurring_runs ADD COLUMN error TEXT COLLATE "C";

CREATE TABLE waiting_slots (
    recurring_run_id UUID   NOT NULL REFERENCES recurring_runs (id) ON DELETE CASCADE,
    slot             BIGINT NOT NULL,
    PRIMARY KEY (recurring_run_id, slot)
);
