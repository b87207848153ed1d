-- What all processes over a store have to know alike, as SQLite's layout has it after its migration 9.
CREATE TABLE secrets (
    name   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    secret TEXT COLLATE "C" NOT NULL
);

-- Two random UUIDs have 244 bits of chance.
INSERT INTO secrets (name, secret)
    VALUES ('page-tokens', replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''));
