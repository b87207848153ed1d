-- Which process drives which run on a machine, as SQLite's layout has it after its migration 7; what the tables and columns
-- mean is said there.

-- Changed every few seconds, in place as long as its page has room.
CREATE TABLE drivers (
    id       UUID   NOT NULL PRIMARY KEY,
    data_dir UUID   NOT NULL,
    name     TEXT   COLLATE "C" NOT NULL,
    silence  BIGINT NOT NULL,
    beat     BIGINT NOT NULL,
    seen_at  BIGINT NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE run_claims (
    run_id    UUID   NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    driver_id UUID   NOT NULL REFERENCES drivers (id) ON DELETE CASCADE,
    epoch     BIGINT NOT NULL
);

CREATE INDEX run_claims_of_driver ON run_claims (driver_id);
