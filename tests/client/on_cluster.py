"""Runs on a cluster by the stock client: what they do is seen in their Pods, too."""

import datetime
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

from harness import HOST, client, compiled, expect_error, main
from kfp import dsl
from pipelines import sleeper, sums

LIMIT = 240
NAMESPACE = os.environ["PENSTOCK_TEST_NAMESPACE"]

c = client()


@dsl.component
def talk(lines: int, word: str):
    import time

    for number in range(lines):
        print(f"{word} {number}", flush=True)
        time.sleep(1)


@dsl.component
def fail_before(moment: float) -> str:
    import time

    print("tried", flush=True)
    if time.time() < moment:
        raise RuntimeError("it is too early")
    return "late enough"


@dsl.container_component
def missing():
    return dsl.ContainerSpec(image="penstock.test/missing:1", command=["true"])


@dsl.component
def double(x: int) -> int:
    return 2 * x


@dsl.component
def total(numbers: list) -> int:
    return sum(numbers)


@dsl.pipeline(name="looped")
def looped(numbers: list = [1, 2, 3]) -> int:
    with dsl.ParallelFor(numbers) as number:
        doubled = double(x=number).set_caching_options(False)
    return total(numbers=dsl.Collected(doubled.output)).set_caching_options(False).output


@dsl.pipeline(name="talker")
def talker(lines: int, word: str = "line"):
    talk(lines=lines, word=word).set_caching_options(False)


@dsl.pipeline(name="unpullable")
def unpullable():
    missing().set_caching_options(False)


@dsl.pipeline(name="impatient")
def impatient(moment: float):
    fail_before(moment=moment).set_caching_options(False)


def finished(run_id):
    return c.wait_for_run_completion(run_id, timeout=LIMIT, sleep_duration=0.2)


def wait(what, is_so, limit=LIMIT):
    deadline = time.monotonic() + limit
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"it was waited in vain: {what}"
        time.sleep(0.2)
    return found


def pods(run_id):
    """Names of a run's Pods, with what they say of themselves."""
    selector = f"penstock.dev/run-id={run_id}"
    get = [os.environ["PENSTOCK_TEST_KUBECTL"], "-n", NAMESPACE, "get", "pods", "-l", selector, "-o", "json"]
    items = json.loads(subprocess.run(get, check=True, capture_output=True, timeout=60).stdout)["items"]
    return {pod["metadata"]["name"]: pod for pod in items}


def is_running(pod):
    statuses = pod["status"].get("containerStatuses", [])
    return any(status["name"] == "main" and "running" in status["state"] for status in statuses)


def task_of(run_id, name):
    details = c.get_run(run_id).run_details
    found = [task for task in details.task_details if task.display_name == name] if details else []
    return found[0] if found else None


def log(run_id, node, follow=False, timestamps=False):
    path = f"/apis/v1alpha1/runs/{run_id}/nodes/{urllib.parse.quote(node, safe='')}/log"
    query = f"follow={str(follow).lower()}&timestamps={str(timestamps).lower()}"
    return urllib.request.urlopen(f"{HOST}{path}?{query}", timeout=LIMIT)


def text(run_id, node, timestamps=False):
    with log(run_id, node, timestamps=timestamps) as answer:
        return answer.read().decode()


def times_of(stamped, printed):
    """When the lines were printed that a task printed itself, of a log with times."""
    lines = [line.partition(" ") for line in stamped.splitlines()]
    assert [line for _, _, line in lines] == printed.splitlines()[:len(lines)], (stamped, printed)
    times = {line: time for time, _, line in lines if line.startswith("line ")}
    assert times and all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time) for time in times.values()), stamped
    return {line: datetime.datetime.fromisoformat(time.replace("Z", "+00:00")) for line, time in times.items()}


def pod(run_id, node, attempt=0):
    """How the Pod of an attempt is, or why there is none."""
    path = f"/apis/penstock/v1/runs/{run_id}/tasks/{node}/attempts/{attempt}/pod"
    try:
        with urllib.request.urlopen(f"{HOST}{path}", timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        assert refusal.code == 404, (refusal.code, refusal.read())
        return json.load(refusal)


def hello_succeeds_as_pods():
    started = c.create_run_from_pipeline_func(sums, arguments={"x": 1}, run_name="first", enable_caching=False)
    run = started.wait_for_run_completion(timeout=LIMIT)
    assert run.state == "SUCCEEDED" and run.error is None, run
    assert run.service_account == "pipeline-runner", run
    tasks = {task.display_name: task for task in run.run_details.task_details}
    assert {name: task.state for name, task in tasks.items()} == dict.fromkeys(["root", "add", "add-2"], "SUCCEEDED"), tasks
    assert tasks["add"].pod_name.endswith("-0") and tasks["root"].pod_name is None, tasks
    children = {child.pod_name for child in tasks["root"].child_tasks}
    assert children == {tasks["add"].pod_name, tasks["add-2"].pod_name}, children
    wait("its Pods are gone", lambda: not pods(started.run_id))


def loop_runs_each_iteration():
    run = finished(c.create_run_from_pipeline_package(compiled(looped), service_account="somebody").run_id)
    assert run.state == "SUCCEEDED" and run.service_account == "somebody", run
    doubled = [task for task in run.run_details.task_details if task.display_name == "double"]
    assert len({task.pod_name for task in doubled}) == 3, doubled


def log_is_followed_while_the_pod_runs_and_is_the_same_when_it_is_gone():
    # It may take some seconds until a follower is heard where all is busy.
    lines = 25
    started = c.create_run_from_pipeline_func(talker, arguments={"lines": lines}, enable_caching=False)
    task = wait("the task has a Pod", lambda: (task := task_of(started.run_id, "talk")) and task.pod_name and task)
    seen = []
    # Asked before its container runs, and by the name of the Pod.
    with log(started.run_id, task.pod_name, follow=True) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain"), answer.headers
        for line in answer:
            seen.append(line.decode())
            if seen[-1] == "line 2\n":
                state = task_of(started.run_id, "talk").state
                assert state == "RUNNING", f"the task was {state} when this came"
                so_far = text(started.run_id, task.task_id)
                assert "line 2\n" in so_far and f"line {lines - 1}\n" not in so_far, so_far
                live = text(started.run_id, task.task_id, timestamps=True)
    assert [line for line in seen if line.startswith("line ")] == [f"line {number}\n" for number in range(lines)], seen
    assert finished(started.run_id).state == "SUCCEEDED"
    wait("its Pod is gone", lambda: not pods(started.run_id))
    stored = text(started.run_id, task.pod_name)
    assert stored == "".join(seen), (stored, seen)
    # The node's words while the Pod was there, the launcher's afterwards.
    live, late = times_of(live, stored), times_of(text(started.run_id, task.pod_name, timestamps=True), stored)
    assert len(late) == lines and list(late.values()) == sorted(late.values()), late
    apart = {line: (late[line] - time).total_seconds() for line, time in live.items()}
    assert all(-1 < seconds < 5 for seconds in apart.values()), apart


def pod_that_cannot_be_pulled_is_shown_with_its_events():
    started = c.create_run_from_pipeline_func(unpullable, enable_caching=False)
    task = wait("the task has a Pod", lambda: (task := task_of(started.run_id, "missing")) and task.pod_name and task)

    def waits():
        shown = pod(started.run_id, task.task_id)
        main = [container for container in shown.get("containers", []) if container["name"] == "main"]
        reasons = {event["reason"] for event in shown.get("events", [])}
        is_refused = main and main[0].get("reason") in ("ErrImagePull", "ImagePullBackOff")
        return is_refused and {"Scheduled", "Failed"} <= reasons and (shown, main[0])

    shown, main = wait("the puller's words are shown", waits)
    assert (shown["name"], shown["namespace"], shown["phase"]) == (task.pod_name, NAMESPACE, "Pending"), shown
    assert main["image"] == "penstock.test/missing:1" and main["state"] == "waiting" and shown["node"], shown
    assert any("penstock.test/missing:1" in event["message"] for event in shown["events"]), shown
    assert "events_error" not in shown, shown
    # What the launcher gets of the installation is in its environment.
    assert not {"env", "spec", "volumes"} & set(shown) and "AWS_" not in json.dumps(shown), shown
    c.terminate_run(started.run_id)
    assert finished(started.run_id).state == "FAILED"
    wait("its Pod is gone", lambda: not pods(started.run_id))
    assert "no longer" in pod(started.run_id, task.task_id)["message"]


def run_is_terminated_with_its_pods():
    started = c.create_run_from_pipeline_func(sleeper, enable_caching=False)
    wait("its Pod runs", lambda: any(map(is_running, pods(started.run_id).values())))
    c.terminate_run(started.run_id)
    assert c.get_run(started.run_id).state in ("CANCELING", "FAILED")
    assert finished(started.run_id).state == "FAILED"
    wait("no Pod of it runs", lambda: not any(map(is_running, pods(started.run_id).values())))
    expect_error(400, "Failed to terminate a run", lambda: c.terminate_run(started.run_id))


def failed_run_is_retried_as_another_attempt():
    moment = time.time() + 25
    started = c.create_run_from_pipeline_func(impatient, arguments={"moment": moment}, enable_caching=False)
    run = finished(started.run_id)
    assert run.state == "FAILED" and "fail-before" in run.error.message, run
    first = task_of(started.run_id, "fail-before").pod_name
    assert first in pods(started.run_id), "the Pod of a failed attempt is kept for a look"
    assert "it is too early" in text(started.run_id, first)
    time.sleep(max(0.0, moment - time.time()))
    c.runs.run_service_retry_run(started.run_id)
    run = finished(started.run_id)
    assert run.state == "SUCCEEDED" and run.error is None, run
    second = task_of(started.run_id, "fail-before").pod_name
    assert second != first, second
    assert "it is too early" in text(started.run_id, first) and "it is too early" not in text(started.run_id, second)


def deleted_run_takes_its_pods_along():
    failed = c.create_run_from_pipeline_func(impatient, arguments={"moment": 1e12}, enable_caching=False)
    assert finished(failed.run_id).state == "FAILED"
    released = lambda pod: pod["status"]["phase"] == "Failed" and not pod["metadata"].get("finalizers")
    wait("its Pod is let go", lambda: (found := pods(failed.run_id)) and all(map(released, found.values())))
    c.delete_run(failed.run_id)
    expect_error(404, "not found", lambda: c.get_run(failed.run_id))
    wait("the Pod of the failed run is gone", lambda: not pods(failed.run_id))
    busy = c.create_run_from_pipeline_func(sleeper, enable_caching=False)
    wait("its Pod runs", lambda: any(map(is_running, pods(busy.run_id).values())))
    c.delete_run(busy.run_id)
    expect_error(404, "not found", lambda: c.get_run(busy.run_id))
    wait("the Pod of the busy run is gone", lambda: not pods(busy.run_id))


def recurring_run_fires_once():
    # The store outlives the test.
    experiment = c.create_experiment(f"clockwork-{uuid.uuid4()}").experiment_id
    # KFP's clients make a run that fires once of a cron expression with an end.
    start = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
    stamp = lambda time: time.strftime("%Y-%m-%dT%H:%M:%SZ")
    recurring = c.create_recurring_run(
        experiment, "once", pipeline_package_path=compiled(talker), params={"lines": 1, "word": "[[Index]]"},
        cron_expression=f"{start.second} {start.minute} {start.hour} * * *",
        end_time=stamp(start + datetime.timedelta(seconds=5)), max_concurrency=1, enable_caching=False)
    runs = wait("it has fired", lambda: c.list_runs(experiment_id=experiment).runs)
    assert len(runs) == 1 and runs[0].recurring_run_id == recurring.recurring_run_id, runs
    assert finished(runs[0].run_id).state == "SUCCEEDED"
    task = task_of(runs[0].run_id, "talk")
    assert task.pod_name and "1 0\n" in text(runs[0].run_id, task.pod_name), task
    time.sleep(3)
    assert c.list_runs(experiment_id=experiment).total_size == 1
    c.delete_recurring_run(recurring.recurring_run_id)


def client_without_host_asks_through_kubernetes():
    import kfp

    through = kfp.Client(namespace="penstock-system")
    assert through.get_kfp_healthz().multi_user is not True
    run = through.create_run_from_pipeline_func(sums, arguments={"x": 2}).wait_for_run_completion(timeout=LIMIT)
    assert run.state == "SUCCEEDED", run
    assert c.get_run(run.run_id).display_name == run.display_name


def submission_is_refused_with_the_label():
    label = f"kubectl label namespace {NAMESPACE} penstock.dev/injection=enabled"
    expect_error(400, label, lambda: c.create_run_from_pipeline_func(sums, arguments={"x": 1}))


SCENARIOS = {
    "all": [
        hello_succeeds_as_pods,
        loop_runs_each_iteration,
        log_is_followed_while_the_pod_runs_and_is_the_same_when_it_is_gone,
        pod_that_cannot_be_pulled_is_shown_with_its_events,
        run_is_terminated_with_its_pods,
        failed_run_is_retried_as_another_attempt,
        deleted_run_takes_its_pods_along,
        recurring_run_fires_once,
        client_without_host_asks_through_kubernetes,
    ],
    "apart": [hello_succeeds_as_pods, log_is_followed_while_the_pod_runs_and_is_the_same_when_it_is_gone,
              pod_that_cannot_be_pulled_is_shown_with_its_events, run_is_terminated_with_its_pods],
    "unlabelled": [submission_is_refused_with_the_label],
}

main(*SCENARIOS[sys.argv[1]])
