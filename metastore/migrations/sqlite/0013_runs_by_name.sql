-- Lists of runs by name, by end and by state, of what is available or archived: what lists are nearly always narrowed by. One
-- that is not is made of both.

CREATE INDEX runs_stored_by_name ON runs (storage_state, listed_name, id);
CREATE INDEX runs_of_namespace_stored_by_name ON runs (namespace, storage_state, listed_name, id);
CREATE INDEX runs_of_experiment_stored_by_name ON runs (experiment_id, storage_state, listed_name, id);
DROP INDEX runs_listed_by_name;
DROP INDEX runs_by_display_name;

CREATE INDEX runs_stored_by_finish ON runs (storage_state, listed_finish, id);
DROP INDEX runs_listed_by_finish;

CREATE INDEX runs_stored_by_status ON runs (storage_state, status, created_at, id);
CREATE INDEX runs_of_namespace_stored_by_status ON runs (namespace, storage_state, status, created_at, id);
CREATE INDEX runs_of_experiment_stored_by_status ON runs (experiment_id, storage_state, status, created_at, id);
DROP INDEX runs_of_status_by_age;
DROP INDEX runs_of_namespace_status_by_age;
DROP INDEX runs_of_experiment_status_by_age;
