-- Lists of the failed runs of an experiment or of a namespace, whether there are any or not.
CREATE INDEX runs_of_experiment_status_by_age ON runs (experiment_id, status, created_at, id);
CREATE INDEX runs_of_namespace_status_by_age ON runs (namespace, status, created_at, id);
