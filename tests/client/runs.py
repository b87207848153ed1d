"""Runs by the stock client."""

import os
import time

from harness import FOLDER, client, compiled, expect_error, main, run_api
from pipelines import needs_marker, sleeper, sums

c = client()
LIMIT = 180


def finished(run_id):
    return c.wait_for_run_completion(run_id, timeout=LIMIT, sleep_duration=0.2)


def run_of_a_function_succeeds_and_tells_all():
    started = c.create_run_from_pipeline_func(sums, arguments={"x": 1}, run_name="first", experiment_name="sums")
    fresh = c.get_run(started.run_id)
    assert fresh.display_name == "first" and fresh.storage_state == "AVAILABLE", fresh
    assert fresh.state_history[0].state == "PENDING" and fresh.service_account == "pipeline-runner", fresh
    assert fresh.runtime_config.parameters == {"x": 1} and fresh.pipeline_version_reference is None, fresh
    assert fresh.pipeline_spec["pipelineInfo"]["name"] == "sums", fresh
    run = started.wait_for_run_completion(timeout=LIMIT)
    assert run.state == "SUCCEEDED" and run.error is None, run
    assert [entry.state for entry in run.state_history] == ["PENDING", "RUNNING", "SUCCEEDED"], run.state_history
    assert run.finished_at >= run.created_at
    names = {task.display_name: task.state for task in run.run_details.task_details}
    assert names == {"root": "SUCCEEDED", "add": "SUCCEEDED", "add-2": "SUCCEEDED"}, names
    experiment = c.get_experiment(experiment_name="sums")
    assert experiment.last_run_created_at == run.created_at, experiment
    assert run.experiment_id == experiment.experiment_id


def run_of_a_version_is_made_by_reference():
    pipeline = c.upload_pipeline(compiled(sums), pipeline_name="by-reference")
    [version] = c.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions
    experiment = c.create_experiment("references")
    made = c.run_pipeline(experiment.experiment_id, "job", pipeline_id=pipeline.pipeline_id,
                          version_id=version.pipeline_version_id, params={"x": 5, "y": 6})
    reference = made.pipeline_version_reference
    assert reference.pipeline_id == pipeline.pipeline_id, made
    assert reference.pipeline_version_id == version.pipeline_version_id and made.pipeline_spec is None, made
    latest = run_api("POST", "/runs", {"display_name": "latest", "runtime_config": {"parameters": {"x": 1}},
                                       "pipeline_version_reference": {"pipeline_id": pipeline.pipeline_id}})
    assert latest["pipeline_version_reference"]["pipeline_version_id"] == version.pipeline_version_id, latest
    default = c.get_experiment(experiment_name="Default")
    assert latest["experiment_id"] == default.experiment_id, latest
    for run_id in [made.run_id, latest["run_id"]]:
        assert finished(run_id).state == "SUCCEEDED"
    listed = c.list_runs(experiment_id=experiment.experiment_id)
    assert [run.run_id for run in listed.runs] == [made.run_id] and listed.total_size == 1, listed
    newest = c.list_runs(page_size=1, sort_by="created_at desc")
    assert newest.runs[0].run_id == latest["run_id"] and newest.next_page_token, newest


def failed_run_says_why_and_is_retried():
    marker = os.path.join(FOLDER, "marker")
    started = c.create_run_from_pipeline_func(needs_marker, arguments={"path": marker}, enable_caching=False)
    run = finished(started.run_id)
    assert run.state == "FAILED" and "fail-unless" in run.error.message, run
    open(marker, "w").close()
    c.runs.run_service_retry_run(started.run_id)
    again = finished(started.run_id)
    assert again.state == "SUCCEEDED" and again.error is None, again
    states = [entry.state for entry in again.state_history]
    assert states[:3] == ["PENDING", "RUNNING", "FAILED"] and states[-1] == "SUCCEEDED" and len(states) > 4, states
    expect_error(409, "Workflow must be Failed/Error to retry", lambda: c.runs.run_service_retry_run(started.run_id))


def run_is_terminated():
    started = c.create_run_from_pipeline_func(sleeper)
    deadline = time.monotonic() + LIMIT
    while c.get_run(started.run_id).state != "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    c.terminate_run(started.run_id)
    assert c.get_run(started.run_id).state in ("CANCELING", "FAILED")
    assert finished(started.run_id).state == "FAILED"
    expect_error(400, "Failed to terminate a run", lambda: c.terminate_run(started.run_id))


def runs_are_archived_and_deleted():
    started = c.create_run_from_pipeline_func(sums, arguments={"x": 1}, run_name="to-go", experiment_name="archive")
    finished(started.run_id)
    c.archive_run(started.run_id)
    assert c.get_run(started.run_id).storage_state == "ARCHIVED"
    available = '{"predicates": [{"operation": "NOT_EQUALS", "key": "storage_state", "stringValue": "ARCHIVED"}]}'
    experiment = c.get_experiment(experiment_name="archive").experiment_id
    assert c.list_runs(experiment_id=experiment, filter=available).runs is None
    c.unarchive_run(started.run_id)
    assert c.list_runs(experiment_id=experiment, filter=available).total_size == 1
    c.archive_experiment(experiment)
    assert c.get_run(started.run_id).storage_state == "ARCHIVED"
    expect_error(400, "must be un-archived first", lambda: c.unarchive_run(started.run_id))
    c.delete_run(started.run_id)
    expect_error(404, f"Run {started.run_id} not found", lambda: c.get_run(started.run_id))
    expect_error(404, "not found", lambda: c.delete_run(started.run_id))
    busy = c.create_run_from_pipeline_func(sleeper, run_name="busy")
    c.delete_run(busy.run_id)
    expect_error(404, "not found", lambda: c.get_run(busy.run_id))


def what_cannot_run_is_refused():
    spec = compiled(sums)
    missing = "parameter x is not optional, yet has neither default value nor user provided value"
    expect_error(400, missing, lambda: c.create_run_from_pipeline_package(spec, arguments={"y": 1}))
    expect_error(400, "requires type double or integer", lambda: c.create_run_from_pipeline_package(spec, arguments={"x": "1"}))
    expect_error(400, "not required by pipeline: z",
                 lambda: c.create_run_from_pipeline_package(spec, arguments={"x": 1, "z": 1}))
    expect_error(404, "Experiment 12345 not found", lambda: c.run_pipeline("12345", "job", spec, params={"x": 1}))
    expect_error(404, "Run nothing not found", lambda: c.get_run("nothing"))
    before = c.list_runs(page_size=1).total_size
    for body in [{}, {"display_name": "a"}, {"display_name": "a", "pipeline_spec": {"root": {}}}]:
        document = expect_error(400, "", lambda: run_api("POST", "/runs", body), anywhere=True)
        assert document["code"] == 3, document
    assert c.list_runs(page_size=1).total_size == before


main(
    run_of_a_function_succeeds_and_tells_all,
    run_of_a_version_is_made_by_reference,
    failed_run_says_why_and_is_retried,
    run_is_terminated,
    runs_are_archived_and_deleted,
    what_cannot_run_is_refused,
)
