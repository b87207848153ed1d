-- Which process drives which run on a machine. What settles whose facts are stored is the run's epoch; a claim keeps others
-- from starting the same tasks on another machine.

-- Processes that drive runs. While one has runs it raises its beat; how long others wait for the next one before they take
-- its runs over is silence, in nanoseconds. Times are for people, and for removing what is left of processes of long ago.
CREATE TABLE drivers (
    id       BLOB    NOT NULL PRIMARY KEY,
    -- The data directory that the files and processes of its runs belong to: one of the same is told by locks on files.
    data_dir BLOB    NOT NULL,
    name     TEXT    NOT NULL,
    silence  INTEGER NOT NULL,
    beat     INTEGER NOT NULL,
    seen_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE run_claims (
    run_id    BLOB    NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    driver_id BLOB    NOT NULL REFERENCES drivers (id) ON DELETE CASCADE,
    epoch     INTEGER NOT NULL
) STRICT;

CREATE INDEX run_claims_of_driver ON run_claims (driver_id);
