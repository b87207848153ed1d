-- Runs by a part of their names.

-- The number of those whose names contain a text is found without reading the runs.
CREATE INDEX runs_named ON runs (namespace) INCLUDE (storage_state, experiment_id, listed_name)
    WHERE deleted_at IS NULL;

-- Which runs have three characters next to each other in their name. The extension that it takes comes with the server, but
-- not everywhere is it installed, and not everybody may make use of it: then all names are looked at.
DO $$
DECLARE
    extension_schema TEXT;
BEGIN
    BEGIN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
    EXCEPTION WHEN OTHERS THEN
        RAISE NOTICE 'runs are searched by name without pg_trgm: %', SQLERRM;
    END;
    SELECT nspname INTO extension_schema
        FROM pg_catalog.pg_extension JOIN pg_catalog.pg_namespace ON pg_namespace.oid = extnamespace
        WHERE extname = 'pg_trgm';
    IF extension_schema IS NOT NULL AND has_schema_privilege(extension_schema, 'USAGE') THEN
        EXECUTE format(
            'CREATE INDEX runs_by_trigrams ON runs USING gin (lower(listed_name) %I.gin_trgm_ops) '
            'WITH (fastupdate = off) WHERE deleted_at IS NULL',
            extension_schema);
    END IF;
END
$$;
