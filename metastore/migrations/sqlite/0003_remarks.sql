-- What people should know of a run that its facts do not say: that it cannot be driven, and why; where two witnesses
-- contradict each other. The newest remark of a kind about a subject counts.

CREATE TABLE remarks (
    run_id  BLOB    NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    kind    TEXT    NOT NULL,
    -- What of the run it is about; empty for the run itself.
    subject TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    text    TEXT    NOT NULL,
    PRIMARY KEY (run_id, kind, subject)
) STRICT;
