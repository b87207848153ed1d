-- Recurring runs: what keeps them from firing, which of their changes is the newest, and slots that wait for room.

ALTER TABLE recurring_runs ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recurring_runs ADD COLUMN error TEXT;

-- Slots that passed without a run and that somebody asked for, until there is room for their runs.
CREATE TABLE waiting_slots (
    recurring_run_id BLOB    NOT NULL REFERENCES recurring_runs (id) ON DELETE CASCADE,
    slot             INTEGER NOT NULL,
    PRIMARY KEY (recurring_run_id, slot)
) STRICT;
