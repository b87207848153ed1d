-- What all processes over a store have to know alike, and nobody else may.
CREATE TABLE secrets (
    name   TEXT NOT NULL PRIMARY KEY,
    secret TEXT NOT NULL
) STRICT;

INSERT INTO secrets (name, secret) VALUES ('page-tokens', lower(hex(randomblob(32))));
