-- A run is also found by the name that somebody gave it.

CREATE INDEX runs_by_display_name ON runs (display_name);
