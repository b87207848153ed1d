"""Recurring runs by the stock client."""

import datetime
import json
import time

from harness import client, compiled, expect_error, main, run_api
from pipelines import saying, sleeper, sums

c = client()
LIMIT = 120
SPEC = compiled(saying, "saying.yaml")


def experiment(name):
    return c.create_experiment(name).experiment_id


def runs_of(recurring):
    wanted = {"predicates": [{"operation": "EQUALS", "key": "recurring_run_id", "stringValue": recurring.recurring_run_id}]}
    return c.list_runs(filter=json.dumps(wanted), sort_by="scheduled_at", page_size=100).runs or []


def wait_for_runs(recurring, count):
    deadline = time.monotonic() + LIMIT
    while len(runs_of(recurring)) < count:
        assert time.monotonic() < deadline, f"{len(runs_of(recurring))} runs of {count}"
        time.sleep(0.2)
    return runs_of(recurring)


def text(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def created_shown_listed_and_deleted():
    folder, other = experiment("recurring"), experiment("another")
    far = text(datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=400))
    by_cron = c.create_recurring_run(folder, "by cron", cron_expression="0 0 9 * * 1-5", start_time=far, max_concurrency=2,
                                     pipeline_package_path=SPEC, params={"text": "hi"}, description="d", no_catchup=True)
    assert by_cron.mode == "ENABLE" and by_cron.status == "ENABLED" and by_cron.max_concurrency == "2", by_cron
    assert by_cron.trigger.cron_schedule.cron == "0 0 9 * * 1-5" and by_cron.no_catchup is True, by_cron
    assert text(by_cron.trigger.cron_schedule.start_time) == far and by_cron.created_at == by_cron.updated_at, by_cron
    assert by_cron.runtime_config.parameters == {"text": "hi"} and by_cron.experiment_id == folder, by_cron
    assert by_cron.pipeline_spec["pipelineInfo"]["name"] == "saying" and by_cron.service_account == "pipeline-runner"
    assert c.get_recurring_run(by_cron.recurring_run_id) == by_cron
    by_interval = c.create_recurring_run(folder, "By Interval", interval_second=3600, pipeline_package_path=SPEC,
                                         enabled=False)
    assert by_interval.trigger.periodic_schedule.interval_second == "3600", by_interval
    assert by_interval.mode == "DISABLE" and by_interval.status == "DISABLED" and by_interval.no_catchup is None
    elsewhere = c.create_recurring_run(other, "elsewhere", interval_second=3600, pipeline_package_path=SPEC)

    listed = c.list_recurring_runs(experiment_id=folder, sort_by="name desc", page_size=1)
    assert [run.display_name for run in listed.recurring_runs] == ["By Interval"] and listed.total_size == 2, listed
    rest = c.list_recurring_runs(experiment_id=folder, page_token=listed.next_page_token)
    assert [run.display_name for run in rest.recurring_runs] == ["by cron"], rest
    assert "recurringRuns" in run_api("GET", "/recurringruns")
    by_name = '{"predicates": [{"operation": "IS_SUBSTRING", "key": "name", "stringValue": "ELSE"}]}'
    assert c.list_recurring_runs(filter=by_name).recurring_runs[0].recurring_run_id == elsewhere.recurring_run_id
    expect_error(400, 'Invalid sorting field: "state" on listable type Job', lambda: c.list_recurring_runs(sort_by="state"))
    expect_error(404, "Experiment 12345 not found", lambda: c.list_recurring_runs(experiment_id="12345"))

    for run in [by_cron, by_interval, elsewhere]:
        c.delete_recurring_run(run.recurring_run_id)
        for call in [c.get_recurring_run, c.delete_recurring_run, c.enable_recurring_run, c.disable_recurring_run]:
            expect_error(404, f"Job {run.recurring_run_id} not found", lambda: call(run.recurring_run_id))
    assert run_api("GET", "/recurringruns") == {}


def enabled_and_disabled():
    folder = experiment("switches")
    run = c.create_recurring_run(folder, "switch", interval_second=3600, pipeline_package_path=SPEC)
    for switch, status in [(c.disable_recurring_run, "DISABLED"), (c.disable_recurring_run, "DISABLED"),
                           (c.enable_recurring_run, "ENABLED")]:
        switch(run.recurring_run_id)
        assert c.get_recurring_run(run.recurring_run_id).status == status
    c.archive_experiment(folder)
    assert c.get_recurring_run(run.recurring_run_id).status == "DISABLED"
    c.unarchive_experiment(folder)
    assert c.get_recurring_run(run.recurring_run_id).status == "DISABLED"


def once(name, **body):
    spec = {"display_name": name, "experiment_id": experiment("once"), "max_concurrency": 1, "mode": 1, **body}
    made = run_api("POST", "/recurringruns", spec)
    return c.get_recurring_run(made["recurring_run_id"])


def one_without_a_trigger_runs_once_and_disabled_ones_never():
    pipeline = c.upload_pipeline(SPEC, pipeline_name="saying")
    [version] = c.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions
    latest = {"pipeline_id": pipeline.pipeline_id}
    pinned = {**latest, "pipeline_version_id": version.pipeline_version_id}
    parameters = {"parameters": {"text": "[[Index]] [[ScheduledTime]] [[RunUUID]]"}}
    never = once("never", pipeline_version_reference=latest, mode="DISABLE")
    first = once("hello world", pipeline_version_reference=latest, runtime_config=parameters, trigger={})
    second = once("argument parameter", pipeline_version_reference=pinned, runtime_config=parameters)
    assert first.pipeline_version_reference.pipeline_version_id is None and first.trigger is not None, first
    assert second.pipeline_version_reference.pipeline_version_id == version.pipeline_version_id, second
    for recurring, name in [(first, "helloworld"), (second, "argumentparameter")]:
        [run] = wait_for_runs(recurring, 1)
        assert run.display_name.startswith(name) and "-1-" in run.display_name, run
        assert run.recurring_run_id == recurring.recurring_run_id and run.experiment_id == recurring.experiment_id
        assert run.pipeline_version_reference.pipeline_version_id == version.pipeline_version_id, run
        assert c.wait_for_run_completion(run.run_id, timeout=LIMIT, sleep_duration=0.2).state == "SUCCEEDED"
        # Whoever asks for the same slot again is given the same run.
        again = {"display_name": run.display_name, "recurring_run_id": recurring.recurring_run_id,
                 "pipeline_version_reference": pinned}
        assert run_api("POST", "/runs", again)["run_id"] == run.run_id
    time.sleep(2)
    assert [len(runs_of(recurring)) for recurring in (first, second, never)] == [1, 1, 0]
    mine = {"display_name": "mine", "recurring_run_id": never.recurring_run_id, "pipeline_version_reference": pinned}
    made = run_api("POST", "/runs", mine)
    assert made["recurring_run_id"] == never.recurring_run_id and run_api("POST", "/runs", mine)["run_id"] == made["run_id"]
    expect_error(404, "Job 12345 not found", lambda: run_api("POST", "/runs", {**mine, "recurring_run_id": "12345"}))


def missed_slots_are_caught_up_with_or_run_once():
    folder = experiment("missed")
    start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=2)
    span = {"start_time": text(start), "end_time": text(start + datetime.timedelta(seconds=120))}
    for trigger in [{"interval_second": 60}, {"cron_expression": "0 * * * * ?"}]:
        made = [c.create_recurring_run(folder, "missed", pipeline_package_path=SPEC, max_concurrency=10,
                                       no_catchup=no_catchup, **trigger, **span) for no_catchup in (False, True)]
        wait_for_runs(made[0], 2)
        wait_for_runs(made[1], 1)
        time.sleep(2)
        assert [len(runs_of(recurring)) for recurring in made] == [2, 1], trigger


def it_fires_again_and_again_and_not_beyond_its_concurrency():
    folder = experiment("ticking")
    ticking = c.create_recurring_run(folder, "ticking", cron_expression="* * * * * *", max_concurrency=10,
                                     pipeline_package_path=SPEC)
    slow = c.create_recurring_run(folder, "slow", interval_second=1, max_concurrency=1,
                                  pipeline_package_path=compiled(sleeper, "sleeper.yaml"))
    slots = [run.scheduled_at for run in wait_for_runs(ticking, 3)]
    assert len(set(slots)) == len(slots), slots
    for recurring in [ticking, slow]:
        c.disable_recurring_run(recurring.recurring_run_id)
    assert len(runs_of(slow)) == 1
    for run in runs_of(slow):
        c.terminate_run(run.run_id)
    time.sleep(1.5)
    before = len(runs_of(ticking))
    time.sleep(2)
    assert len(runs_of(ticking)) == before
    c.delete_recurring_run(ticking.recurring_run_id)
    assert len(runs_of(ticking)) == before


def what_cannot_recur_is_refused():
    folder = experiment("refused")
    made = c.create_recurring_run(folder, "ok", interval_second=3600, enabled=False, pipeline_package_path=SPEC)
    good = {"display_name": "x", "experiment_id": folder, "max_concurrency": 1, "mode": "DISABLE",
            "pipeline_spec": made.pipeline_spec}
    run_api("POST", "/recurringruns", good)
    concurrency = "Max concurrency of a recurring run must be at least 1 and at most 10. Received "
    cron = "Schedule cron is not a supported format(https://godoc.org/github.com/robfig/cron). Error: "
    for change, expected in [
        ({"display_name": ""}, "Recurring run's name cannot be empty"),
        ({"max_concurrency": 11}, concurrency + "11"),
        ({"max_concurrency": None}, concurrency + "0"),
        ({"trigger": {"periodic_schedule": {"interval_second": "0"}}},
         "Found invalid period schedule interval 0. Set at interval to least 1 second"),
        ({"trigger": {"cron_schedule": {"cron": ""}}}, cron + "Empty spec string"),
        ({"trigger": {"cron_schedule": {"cron": "0 9 * *"}}}, cron + "Expected 5 to 6 fields, found 4: 0 9 * *"),
        ({"pipeline_spec": None}, "Cannot create a job with an empty pipeline ID"),
        ({"namespace": "other"}, "belongs to namespace '' instead of 'other'"),
        ({"runtime_config": {"parameters": {"z": 1}}}, "not required by pipeline: z"),
        ({"mode": "SOMETIMES"}, "invalid value for enum field mode"),
        ({"unheard": 1}, "unknown field"),
    ]:
        expect_error(400, expected, lambda: run_api("POST", "/recurringruns", {**good, **change}))
    expect_error(404, "Experiment 12345 not found", lambda: run_api("POST", "/recurringruns", {**good, "experiment_id": "12345"}))
    expect_error(400, "parameter x is not optional",
                 lambda: c.create_recurring_run(folder, "sums", interval_second=60, pipeline_package_path=compiled(sums, "sums.yaml"),
                                                params={"y": 1}))
    # What clients in Go send for times that are not set.
    never = "0001-01-01T00:00:00.000Z"
    trigger = {"periodic_schedule": {"interval_second": "60", "start_time": never, "end_time": never}}
    made = run_api("POST", "/recurringruns", {**good, "trigger": trigger, "created_at": never, "updated_at": never})
    assert made["trigger"] == {"periodic_schedule": {"interval_second": "60"}}, made


main(
    created_shown_listed_and_deleted,
    enabled_and_disabled,
    one_without_a_trigger_runs_once_and_disabled_ones_never,
    missed_slots_are_caught_up_with_or_run_once,
    it_fires_again_and_again_and_not_beyond_its_concurrency,
    what_cannot_recur_is_refused,
)
