"""What users of the API wait for: lists, a large run, a new run, and hearing of what happens."""

import dataclasses
import datetime
import json
import random
import selectors
import socket
import statistics
import sys
import threading
import time

import many_runs
import pipelines
import resident
from api_server import Api, Server
from report import Row, percentile, progress

PAGE = 100
RUNS = '/apis/v2beta1/runs'
# What the dashboard asks for its lists.
SEARCH = '/apis/penstock/v1/runs:search'
TASKS = 1_000
# Requests of each kind in a round; the first are not counted.
WARM = 5
# Takes so long over a million runs that a tenth of the requests has to do.
SLOW = 'filter: name contains 7919'
NEWEST = 'created_at desc'
# Most pages that are walked through to find some anywhere, and the longest time for it.
WALKED = 1_000
WALK_LIMIT = 20


def equals(key: str, value: str) -> str:
    return json.dumps({'predicates': [{'operation': 'EQUALS', 'key': key, 'string_value': value}]})


@dataclasses.dataclass(frozen=True)
class List:
    """A list as it is asked for."""

    query: dict
    sort_by: str = NEWEST
    route: str = RUNS

    def first(self) -> str:
        """What the table calls its first page."""
        return f'the {PAGE} newest' if self.sort_by == NEWEST else f'the first {PAGE}'

    def page(self, api: Api, token: str) -> tuple[dict, float]:
        return api.timed('GET', self.route, page_size=PAGE, sort_by=self.sort_by, page_token=token, **self.query)


def lists(experiment: str) -> dict[str, List]:
    """The lists, by what they are called in the table."""
    contains = json.dumps({'predicates': [{'operation': 'IS_SUBSTRING', 'key': 'name', 'string_value': '7919'}]})
    available = {'filter': equals('storage_state', 'AVAILABLE')}
    return {
        'all': List({}),
        # What each list of a server with several users is narrowed by.
        'of a namespace': List({'filter': equals('namespace', many_runs.NAMESPACE)}),
        'of an experiment': List({'experiment_id': experiment}),
        'filter: available': List(available),
        'filter: available, by name': List(available, 'name'),
        'filter: available, by name, of the dashboard': List(available, 'name', SEARCH),
        'filter: available, by state, of the dashboard': List(available, 'state', SEARCH),
        'filter: failed': List({'filter': equals('state', 'FAILED')}),
        'of an experiment, filter: failed': List({'experiment_id': experiment, 'filter': equals('state', 'FAILED')}),
        SLOW: List({'filter': contains}),
    }


def pages(api: Api, asked: List) -> list[str]:
    """Tokens of every tenth page, or of each if there are few, found by walking through the list for a while."""
    tokens, token, deadline = [], '', time.monotonic() + WALK_LIMIT
    while len(tokens) < WALKED and time.monotonic() < deadline:
        document, _ = asked.page(api, token)
        token = document.get('next_page_token', '')
        if not token:
            break
        tokens.append(token)
    return tokens[::10] if len(tokens) > 100 else tokens


def list_rows(sides: dict[int, Server], experiments: dict[int, str], requests: int, store: str) -> list[Row]:
    """Lists in stores of different sizes, in turns."""
    rows, rng = [], random.Random(7)
    small, large = min(sides), max(sides)
    for name in lists(''):
        progress(f'{store}: lists, {name}')
        asked = {count: lists(experiments[count])[name] for count in sides}
        for count, server in sides.items():
            if not asked[count].page(server.api, '')[0].get('runs'):
                sys.exit(f'error: of {count:,} runs the list {name} has none')
        tokens = {count: pages(sides[count].api, asked[count]) for count in sides}
        times = {(count, anywhere): [] for count in sides for anywhere in (False, True)}
        counted = max(10, requests // 10) if name == SLOW else requests
        for number in range(WARM + counted):
            for count, server in sides.items():
                for anywhere in (False, True):
                    token = rng.choice(tokens[count]) if anywhere and tokens[count] else ''
                    _, took = asked[count].page(server.api, token)
                    if number >= WARM:
                        times[count, anywhere].append(took)
        for anywhere, where in ((False, asked[large].first()), (True, 'a page anywhere')):
            ours, beside = times[large, anywhere], times[small, anywhere]
            ratio = statistics.median(ours) / statistics.median(beside)
            rows.append(Row(
                f'{store}, {large:,} runs, list {name}: {where}, p99{"" if counted == requests else f" of {counted}"}', '20 ms',
                f'{percentile(ours, 99) * 1e3:.1f} ms (median {statistics.median(ours) * 1e3:.1f})',
                f'{small:,} runs: {percentile(beside, 99) * 1e3:.1f} ms (median {statistics.median(beside) * 1e3:.1f});'
                f' median as a multiple {ratio:.2f} × (goal 1.5 ×: {"yes" if ratio <= 1.5 else "**no**"})',
                percentile(ours, 99) <= 0.020))
    return rows


def detail_rows(server: Server, requests: int, store: str) -> list[Row]:
    """A run of many tasks in one reply."""
    progress(f'{store}: a run of {TASKS:,} tasks')
    run, _ = server.api.submit('many-tasks', pipelines.commands(TASKS, False, ['true']))
    server.api.wait(run['run_id'])
    path, times, size = f'{RUNS}/{run["run_id"]}', [], 0
    for number in range(WARM + requests):
        document, took = server.api.timed('GET', path)
        if number >= WARM:
            times.append(took)
        size = len(document['run_details']['task_details'])
    if size < TASKS:
        sys.exit(f'error: the run shows {size} tasks instead of {TASKS}')
    p99 = percentile(times, 99)
    return [Row(f'{store}: detail of a run with {size:,} tasks, one request, p99', '50 ms',
                f'{p99 * 1e3:.1f} ms (median {statistics.median(times) * 1e3:.1f})', '', p99 <= 0.050)]


def create_rows(server: Server, requests: int, store: str) -> list[Row]:
    """New runs, one after the other, each checked and durable before it is answered; and hearing of their ends."""
    progress(f'{store}: new runs')
    pipeline, times, heard = pipelines.commands(1, False, ['true']), [], []
    for number in range(WARM + requests):
        run, took = server.api.submit(f'new-{number}', pipeline)
        delay = _end_to_readable(server, run['run_id'])
        if number >= WARM:
            times.append(took)
            heard.append(delay)
    p50, p99 = statistics.median(times), percentile(heard, 99)
    return [
        Row(f'{store}: create a run, p50', '10 ms', f'{p50 * 1e3:.1f} ms (p99 {percentile(times, 99) * 1e3:.1f})', '',
            p50 <= 0.010),
        Row(f'{store}: from the time of the fact that a run has ended to a reply that says so, p99', '100 ms',
            f'{p99 * 1e3:.1f} ms (median {statistics.median(heard) * 1e3:.1f})', '', p99 <= 0.100),
    ]


def _end_to_readable(server: Server, run: str) -> float:
    """Asks for the run without a pause until its end is in the reply; the fact's own time is in the event stream."""
    path, deadline = f'{RUNS}/{run}', time.monotonic() + 60
    while time.monotonic() < deadline:
        document = server.api.call('GET', path)
        read_at = time.time()
        if document.get('state') == 'SUCCEEDED':
            return read_at - _last_fact_at(server, run)
    sys.exit(f'error: run {run} did not end within 60 s')


def _last_fact_at(server: Server, run: str) -> float:
    with socket.create_connection(server.address.split(':'), timeout=30) as stream:
        stream.sendall(_events_request(server.address, run))
        text = b''
        while chunk := stream.recv(65536):
            text += chunk
            if text.endswith(b'0\r\n\r\n'):
                break
    events = [line for line in text.splitlines() if line.startswith(b'data: ')]
    return _at(json.loads(events[-1][len(b'data: '):]))


def _at(event: dict) -> float:
    # Python reads six digits of a second, and the event may have nine.
    return datetime.datetime.fromisoformat(event['at'][:26].rstrip('Z') + '+00:00').timestamp()


def _events_request(address: str, run: str) -> bytes:
    return f'GET /apis/penstock/v1/runs/{run}/events HTTP/1.1\r\nHost: {address}\r\n\r\n'.encode()


class Subscribers(threading.Thread):
    """Connections that all follow one run; what each hears is timed against the fact's own time."""

    def __init__(self, server: Server, run: str, count: int):
        super().__init__(daemon=True)
        self.delays: list[float] = []
        self.open = count
        self.selector = selectors.DefaultSelector()
        for _ in range(count):
            stream = socket.create_connection(server.address.split(':'), timeout=30)
            stream.sendall(_events_request(server.address, run))
            stream.setblocking(False)
            self.selector.register(stream, selectors.EVENT_READ, bytearray())
        self.begun = time.time()

    def run(self) -> None:
        while self.open:
            for key, _ in self.selector.select(30):
                self._read(key.fileobj, key.data)

    def _read(self, stream: socket.socket, text: bytearray) -> None:
        now = time.time()
        try:
            chunk = stream.recv(65536)
        except BlockingIOError:
            return
        text += chunk
        *lines, rest = text.split(b'\n')
        text[:] = rest
        for line in lines:
            if line.startswith(b'data: '):
                at = _at(json.loads(line[len(b'data: '):]))
                # What had happened before is sent at once and says nothing of delays.
                if at > self.begun:
                    self.delays.append(now - at)
        if not chunk or lines and lines[-2:-1] == [b'0\r']:
            self.selector.unregister(stream)
            stream.close()
            self.open -= 1


def subscriber_rows(server: Server, count: int, store: str) -> list[Row]:
    """Many who follow one run."""
    progress(f'{store}: {count:,} subscribers')
    before = resident.Resident()
    before.look(server.process.pid)
    commands = pipelines.commands(20, False, ['sleep', '0.5'])
    run, _ = server.api.submit('followed', commands)
    subscribers = Subscribers(server, run['run_id'], count)
    subscribers.start()
    during = resident.Resident()
    server.api.wait(run['run_id'])
    during.look(server.process.pid)
    subscribers.join(60)
    delays = subscribers.delays
    if subscribers.open or len(delays) < count:
        sys.exit(f'error: {subscribers.open} of {count} streams did not end; {len(delays)} events were heard')
    each = (during.own - before.own) * 1024 / count
    return [
        Row(f'{store}: {count:,} subscribers of one run, from the time of a fact to having heard of it', '',
            f'median {statistics.median(delays) * 1e3:.0f} ms, p99 {percentile(delays, 99) * 1e3:.0f} ms',
            f'{len(delays):,} events, read by one thread of Python on the same machine'),
        Row(f'{store}: memory of the server for each subscriber', '', f'{each:.0f} KiB',
            f'own memory {before.own:.0f} MiB before, {during.own:.0f} MiB with them'),
    ]
