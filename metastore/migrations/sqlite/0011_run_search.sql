-- Runs by a part of their names.

-- What lists that are searched by name compare and sort by, of each run that is not hidden. Found by keys of its own: the
-- numbers of the rows of runs may change when the file is compacted.
CREATE TABLE searched_runs (
    key           INTEGER NOT NULL PRIMARY KEY,
    id            BLOB    NOT NULL UNIQUE,
    listed_name   TEXT    NOT NULL COLLATE NOCASE,
    created_at    INTEGER NOT NULL,
    namespace     TEXT    NOT NULL,
    experiment_id BLOB    NOT NULL,
    storage_state TEXT    NOT NULL
) STRICT;

-- Which of them have three characters next to each other in their name, cases of letters aside. Only that: whether a name
-- contains a text is looked up in the name.
CREATE VIRTUAL TABLE run_trigrams USING fts5 (name, tokenize = 'trigram', content = '', columnsize = 0, detail = 'none');

INSERT INTO searched_runs (id, listed_name, created_at, namespace, experiment_id, storage_state)
    SELECT id, display_name, created_at, namespace, experiment_id, storage_state FROM runs
    WHERE deleted_at IS NULL ORDER BY created_at, id;

INSERT INTO run_trigrams (rowid, name) SELECT key, listed_name FROM searched_runs ORDER BY key;
-- In one piece, so that no run that is made later pays for it.
INSERT INTO run_trigrams (run_trigrams) VALUES ('optimize');

CREATE TRIGGER run_searchable AFTER INSERT ON runs WHEN NEW.deleted_at IS NULL BEGIN
    INSERT INTO searched_runs (id, listed_name, created_at, namespace, experiment_id, storage_state)
        VALUES (NEW.id, NEW.display_name, NEW.created_at, NEW.namespace, NEW.experiment_id, NEW.storage_state);
    INSERT INTO run_trigrams (rowid, name) SELECT key, listed_name FROM searched_runs WHERE id = NEW.id;
END;

CREATE TRIGGER run_unsearchable AFTER DELETE ON runs WHEN OLD.deleted_at IS NULL BEGIN
    INSERT INTO run_trigrams (run_trigrams, rowid, name)
        SELECT 'delete', key, listed_name FROM searched_runs WHERE id = OLD.id;
    DELETE FROM searched_runs WHERE id = OLD.id;
END;

CREATE TRIGGER run_hidden_from_search AFTER UPDATE OF deleted_at ON runs
WHEN OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL BEGIN
    INSERT INTO run_trigrams (run_trigrams, rowid, name)
        SELECT 'delete', key, listed_name FROM searched_runs WHERE id = OLD.id;
    DELETE FROM searched_runs WHERE id = OLD.id;
END;

CREATE TRIGGER run_searchable_otherwise
AFTER UPDATE OF display_name, created_at, namespace, experiment_id, storage_state ON runs WHEN NEW.deleted_at IS NULL BEGIN
    INSERT INTO run_trigrams (run_trigrams, rowid, name)
        SELECT 'delete', key, listed_name FROM searched_runs
        WHERE id = NEW.id AND listed_name IS NOT NEW.display_name COLLATE BINARY;
    INSERT INTO run_trigrams (rowid, name)
        SELECT key, NEW.display_name FROM searched_runs
        WHERE id = NEW.id AND listed_name IS NOT NEW.display_name COLLATE BINARY;
    UPDATE searched_runs
        SET listed_name = NEW.display_name, created_at = NEW.created_at, namespace = NEW.namespace,
            experiment_id = NEW.experiment_id, storage_state = NEW.storage_state
        WHERE id = NEW.id;
END;
