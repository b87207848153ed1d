-- From where on slots of a recurring run are its own. NULL: from its start or its creation on. 0: from when it is enabled for
-- the first time, which has not been yet. Otherwise the time of that.
ALTER TABLE recurring_runs ADD COLUMN counts_from INTEGER;
