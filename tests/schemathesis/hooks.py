"""Lets requests be about things that exist, most of the time: a test that only ever meets 404 tests little."""

import json
import os

import schemathesis

# What the test has made: {"run_id": "...", ...}.
MADE = json.loads(os.environ.get("PENSTOCK_TEST_MADE", "{}"))
# Operations that would take away what the others need.
DELETES = "DELETE"


def chosen(name, value):
    """What exists instead of what was made up, in seven of eight cases; which follows from the value."""
    known = MADE.get(name)
    return known if known and sum(str(value).encode()) % 8 else value


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if path_parameters and context.operation.method.upper() != DELETES:
        for name in path_parameters:
            path_parameters[name] = chosen(name, path_parameters[name])
    return path_parameters


@schemathesis.hook
def map_query(context, query):
    for name in ("experiment_id", "run_id", "pipelineid", "resource_key.id", "resource_reference_key.id"):
        if query and name in query:
            query[name] = chosen(name, query[name])
    return query
