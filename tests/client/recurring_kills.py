"""A recurring run over kills of the server: `create` it, and later `check` what it has made."""

import json
import sys

from harness import client, compiled
from pipelines import saying

c = client()
NAME = "over-kills"


def create():
    folder = c.create_experiment(NAME).experiment_id
    c.create_recurring_run(folder, NAME, interval_second=1, max_concurrency=10, pipeline_package_path=compiled(saying))


def check():
    """One run for each second since the first, and none twice."""
    [recurring] = c.list_recurring_runs().recurring_runs
    c.disable_recurring_run(recurring.recurring_run_id)
    wanted = {"predicates": [{"operation": "EQUALS", "key": "recurring_run_id", "stringValue": recurring.recurring_run_id}]}
    listed = c.list_runs(filter=json.dumps(wanted), sort_by="scheduled_at", page_size=200)
    assert listed.next_page_token is None and len(listed.runs) > 3, listed.total_size
    slots = [int((run.scheduled_at - recurring.created_at).total_seconds()) for run in listed.runs]
    numbers = [int(run.display_name.split("-")[-2]) for run in listed.runs]
    expected = list(range(1, len(slots) + 1))
    assert slots == expected and numbers == expected, (slots, numbers)
    print(f"{len(slots)} slots")


{"create": create, "check": check}[sys.argv[1]]()
