"""Logs, artifacts and events of runs that the stock client submits. The client has no calls for them, so they are asked
for by plain requests."""

import base64
import datetime
import json
import re
import threading
import urllib.parse
import urllib.request

from harness import HOST, client, expect_error, main, run_api
from kfp import dsl
from kfp.dsl import Dataset, Output
from pipelines import needs_marker

c = client()
LIMIT = 180
OWN = "/apis/penstock/v1"


@dsl.component
def talk(lines: int, words: Output[Dataset], pages: Output[Dataset]):
    import os
    import time

    for number in range(lines):
        print(f"line {number}", flush=True)
        time.sleep(0.5)
    with open(words.path, "w") as file:
        file.write("word\n" * lines)
    words.metadata["spoken"] = lines
    os.makedirs(os.path.join(pages.path, "deep"))
    with open(os.path.join(pages.path, "deep", "page.txt"), "w") as file:
        file.write("a page")


@dsl.pipeline(name="talker")
def talker(lines: int):
    talk(lines=lines)


def ask(path, headers=None):
    return urllib.request.urlopen(urllib.request.Request(HOST + path, headers=headers or {}), timeout=LIMIT)


def text(path):
    with ask(path) as answer:
        return answer.read().decode()


def task_of(run_id, name):
    [task] = [task for task in c.get_run(run_id).run_details.task_details if task.display_name == name]
    return task


def log_of(run_id, node):
    return f"/apis/v1alpha1/runs/{run_id}/nodes/{urllib.parse.quote(node, safe='')}/log"


def events_of(answer):
    """Ids and facts of a stream of events, as far as it goes."""
    number = None
    for line in answer:
        line = line.decode().rstrip("\n")
        if line.startswith("id: "):
            number = int(line[4:])
        elif line.startswith("data: "):
            event = json.loads(line[6:])
            assert event["seq"] == number and event["at"].endswith("Z"), event
            yield number, event["fact"]


def stamps_of(log, lines):
    """The times of lines that the task printed, of a log with times."""
    times = []
    for number in range(lines):
        [stamped] = [line for line in log.splitlines() if line.endswith(f" line {number}")]
        time = stamped.split(" ", 1)[0]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time), stamped
        times.append(datetime.datetime.fromisoformat(time.replace("Z", "+00:00")))
    return times


finished = {}


def log_and_events_are_followed_while_the_task_runs():
    started = c.create_run_from_pipeline_func(talker, arguments={"lines": 6}, enable_caching=False)
    run_id, facts = started.run_id, []
    collector = threading.Thread(target=lambda: facts.extend(events_of(ask(f"{OWN}/runs/{run_id}/events"))))
    collector.start()
    with ask(f"{OWN}/runs/{run_id}/events?after=0") as answer:
        next(number for number, fact in events_of(answer) if fact["fact"] == "attemptStarted")
    seen = []
    with ask(log_of(run_id, "talk") + "?follow=true") as answer:
        assert answer.headers["Content-Type"].startswith("text/plain"), answer.headers
        for line in answer:
            if line.startswith(b"line "):
                seen.append(line.decode().strip())
                if len(seen) == 1:
                    # It came before the task was done.
                    assert c.get_run(run_id).state == "RUNNING"
                    with_times = text(log_of(run_id, "talk") + "?timestamps=true")
                    assert len(stamps_of(with_times, 1)) == 1, with_times
    assert seen == [f"line {number}" for number in range(6)], seen
    assert started.wait_for_run_completion(timeout=LIMIT).state == "SUCCEEDED"
    collector.join(LIMIT)
    assert not collector.is_alive(), "the events have no end"
    assert [number for number, _ in facts] == list(range(1, len(facts) + 1)), facts
    kinds = [fact["fact"] for _, fact in facts]
    assert kinds[0] == "runStarted" and kinds[-1] == "runEnded" and "taskSucceeded" in kinds, kinds
    finished.update(run_id=run_id, facts=facts)


def events_go_on_where_a_client_was():
    run_id, facts = finished["run_id"], finished["facts"]
    events = f"{OWN}/runs/{run_id}/events"
    rest = list(events_of(ask(events, {"Last-Event-ID": str(len(facts) - 2)})))
    assert rest == facts[-2:], rest
    with ask(events, {"Last-Event-ID": str(len(facts))}) as answer:
        assert answer.status == 204, answer.status


def log_is_there_after_the_end():
    run_id = finished["run_id"]
    task = task_of(run_id, "talk")
    logs = [text(log_of(run_id, task.task_id)), text(log_of(run_id, "talk")),
            text(f"{OWN}/runs/{run_id}/tasks/{task.task_id}/attempts/0/log"),
            text(log_of(run_id, "talk") + "?follow=true")]
    assert all(log == logs[0] and "line 5" in log for log in logs), logs
    stamped = text(log_of(run_id, "talk") + "?timestamps=true")
    assert [line.split(" ", 1)[1] for line in stamped.splitlines()] == logs[0].splitlines(), stamped
    times = stamps_of(stamped, 6)
    # Half a second lies between them, as exactly as the log is looked at on a busy machine.
    assert times == sorted(times) and times[5] - times[0] >= datetime.timedelta(seconds=1.5), times
    run = c.get_run(run_id)
    second = datetime.timedelta(seconds=1)
    assert run.created_at <= times[0] and times[5] <= run.finished_at + second, (run.created_at, times, run.finished_at)
    root = task_of(run_id, "root")
    for path, reason in [(log_of(run_id, "nothing"), "Task nothing not found"),
                         (log_of(run_id, root.task_id), "name a task within it"),
                         (f"{OWN}/runs/{run_id}/tasks/talk/attempts/1/log", "0 is the newest"),
                         (log_of("nothing", "talk"), "Run nothing not found")]:
        expect_error(404, reason, lambda: text(path))


def log_of_each_attempt_is_kept():
    started = c.create_run_from_pipeline_func(needs_marker, arguments={"path": "/nowhere"}, enable_caching=False)
    assert c.wait_for_run_completion(started.run_id, timeout=LIMIT, sleep_duration=0.2).state == "FAILED"
    assert "the marker is not there" in text(log_of(started.run_id, "fail-unless"))


def artifacts_are_listed_and_downloaded():
    run_id = finished["run_id"]
    task = task_of(run_id, "talk")
    listed = run_api("GET", f"/artifacts?run_id={run_id}", prefix=OWN)["artifacts"]
    by_output = {artifact["producer"]["output"]: artifact for artifact in listed}
    words, pages = by_output["words"], by_output["pages"]
    assert words["type"] == "system.Dataset" and words["metadata"]["spoken"] == 6, words
    assert words["producer"]["task_id"] == task.task_id and words["producer"]["task_path"] == "talk", words
    content = f"{OWN}/artifacts/{words['artifact_id']}/content"
    with ask(content) as answer:
        whole, headers = answer.read(), answer.headers
    assert whole == b"word\n" * 6 and len(whole) == int(words["size"]), whole
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["ETag"] == f'"{words["digest"]}"', headers
    assert "sandbox" in headers["Content-Security-Policy"], headers
    assert headers["Content-Disposition"].startswith("attachment"), headers
    with ask(content, {"Range": "bytes=5-9"}) as answer:
        assert answer.status == 206 and answer.read() == b"word\n", answer.status
        assert answer.headers["Content-Range"] == f"bytes 5-9/{len(whole)}", answer.headers
    inside = f"{OWN}/artifacts/{pages['artifact_id']}/content"
    expect_error(400, "name a file in it with ?path=", lambda: text(inside))
    expect_error(400, "not the relative path", lambda: text(inside + "?path=../words"))
    assert text(inside + "?path=deep/page.txt") == "a page"
    read = run_api("GET", f"/runs/{run_id}/nodes/{task.task_id}/artifacts/words:read")
    assert base64.b64decode(read["data"]) == whole, read
    expect_error(404, "Artifact other not found",
                 lambda: run_api("GET", f"/runs/{run_id}/nodes/{task.task_id}/artifacts/other:read"))


main(log_and_events_are_followed_while_the_task_runs, events_go_on_where_a_client_was, log_is_there_after_the_end,
     log_of_each_attempt_is_kept, artifacts_are_listed_and_downloaded)
