"""What single parts cost: the objects of Pods, admission, the launcher, the entry, the service that is installed."""

import json
import os
import re
import statistics
import subprocess
import time

import cluster_api
import pipelines
import pod_shape
import resident
from report import Row, percentile, progress, spread

SYSTEM_NAMESPACE = 'penstock-system'
# Creates a second of the measurement of admission, and how many of each kind.
ADMISSION_RATE, ADMISSIONS = 50, 400
# Where the API server counts the time of webhooks, and of its admission plugins; the port with Penstock's own counters.
CALL_METRIC = 'apiserver_admission_webhook_admission_duration_seconds'
PLUGIN_METRIC = 'apiserver_admission_controller_admission_duration_seconds'
ADMIN_PORT = 9090
# MiB that a launcher moves, and tasks that are alive at once.
MOVED, LIVE = 1024, 100
MEBIBYTE = 2**20


def objects(api: cluster_api.Api, namespace: str, run, bare) -> tuple[list[Row], dict]:
    """Bytes and containers of the Pods of a chain, beside bare Pods; also one of our Pods, as it ended."""
    progress('Pods as objects')
    length = 10
    sides = []
    for make in (lambda: run(pipelines.commands(length, False, ['true']), length),
                 lambda: bare.chain('bare-shape', length)):
        observer = pod_shape.Observer(api, namespace)
        make()
        sides.append(observer.shapes())
        bare.remove_all()
    ours, theirs = sides
    return [
        Row('bytes of a Pod as an object, at its largest, without managedFields', '',
            spread([shape.bytes for shape in ours], '', digits=0),
            f'bare Pods: {spread([shape.bytes for shape in theirs], "", digits=0)}'),
        Row('containers started per task, the user\'s included', '', spread([s.containers() for s in ours], '', digits=0),
            f'bare Pods: {spread([s.containers() for s in theirs], "", digits=0)}'),
    ], ours[0].pod


def admission(api: cluster_api.Api, namespace: str, task_pod: dict) -> list[Row]:
    """Creates as dry runs, at a steady rate, in turns with and without the label that the webhook selects.

    Both are Pods of the same size. Only the one with the label is a task's, so what the admission policies look at in such a
    Pod is in the difference, too.
    """
    progress('admission')
    path = f'/api/v1/namespaces/{namespace}/pods?dryRun=All'
    injected = _as_submitted(task_pod)
    plain = json.loads(json.dumps(injected))
    plain['metadata']['labels'] = {}
    plain['metadata']['annotations'] = {'plan-of-as-many-bytes': injected['metadata']['annotations']['penstock.dev/plan']}
    answer = api.call('POST', path, injected)
    if not any(container['name'] == 'penstock-launcher' for container in answer['spec']['initContainers']):
        raise SystemExit('error: the webhook has not injected the Pod of the dry run')
    took: tuple[list[float], list[float]] = ([], [])
    shares = [Share(what, read) for what, read in (
        ('the webhook\'s own work', lambda: _of_webhook(api)),
        ('the call of it', lambda: _of_api_server(api, CALL_METRIC, 'name="inject.penstock.dev"')),
        ('all policies', lambda: _of_api_server(api, PLUGIN_METRIC, 'name="ValidatingAdmissionPolicy",operation="CREATE"')))]
    begin = time.perf_counter()
    for number in range(2 * ADMISSIONS):
        pause = begin + number / ADMISSION_RATE - time.perf_counter()
        if pause > 0:
            time.sleep(pause)
        started = time.perf_counter()
        api.call('POST', path, injected if number % 2 else plain)
        took[number % 2].append(time.perf_counter() - started)
    said = ', '.join(share.text() for share in shares)
    middle = statistics.median(took[1]) - statistics.median(took[0])
    late = percentile(took[1], 99) - percentile(took[0], 99)
    return [Row(f'admission: time added to a create, {ADMISSION_RATE} creates a second, every other one ours',
                '1 ms median, 5 ms p99', f'{middle * 1e3:.2f} ms median, {late * 1e3:.2f} ms p99',
                f'whole create without the webhook: {spread(took[0], "ms", 1e3)}; means of the counters: {said}',
                middle <= 0.001 and late <= 0.005)]


class Share:
    """Seconds that a histogram has counted since this was made, by its count."""

    def __init__(self, what: str, read):
        self.what, self.read = what, read
        self.sum, self.count = read()

    def text(self) -> str:
        total, count = self.read()
        return f'{self.what} {(total - self.sum) / max(count - self.count, 1) * 1e3:.2f} ms'


def _of_webhook(api: cluster_api.Api) -> tuple[float, float]:
    pods = api.call('GET', f'/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods?labelSelector=app.kubernetes.io/name%3Dpenstock')['items']
    total = count = 0.0
    for pod in pods:
        text = api.text(f'/api/v1/namespaces/{SYSTEM_NAMESPACE}/pods/{pod["metadata"]["name"]}:{ADMIN_PORT}/proxy/metrics')
        more, counted = _histogram(text, 'penstock_webhook_admission_seconds', '')
        total, count = total + more, count + counted
    return total, count


def _of_api_server(api: cluster_api.Api, metric: str, labels: str) -> tuple[float, float]:
    return _histogram(api.text('/metrics'), metric, labels)


def _histogram(text: str, metric: str, labels: str) -> tuple[float, float]:
    """Sum and count over all series that have these labels."""
    def total(suffix: str) -> float:
        return sum(float(line.rsplit(' ', 1)[1]) for line in text.splitlines()
                   if line.startswith(metric + suffix) and labels in line)
    return total('_sum'), total('_count')


def _as_submitted(pod: dict) -> dict:
    """A Pod of ours before it was injected, made of one that ran: what the webhook needs to see."""
    metadata = pod['metadata']
    main = next(container for container in pod['spec']['containers'] if container['name'] == 'main')
    return {
        'apiVersion': 'v1', 'kind': 'Pod',
        'metadata': {
            'name': 'dry-run', 'labels': metadata['labels'],
            'annotations': {'penstock.dev/plan': metadata['annotations']['penstock.dev/plan']},
        },
        'spec': {'restartPolicy': 'Never', 'automountServiceAccountToken': False,
                 'serviceAccountName': pod['spec']['serviceAccountName'],
                 'containers': [{'name': 'main', 'image': main['image'], 'imagePullPolicy': 'IfNotPresent', 'command': ['true']}]},
    }


def launcher(run, programs: str) -> list[Row]:
    """Size of the programs; memory of the launcher at rest, and while it uploads and downloads."""
    progress(f'{MOVED} MiB through the launcher')
    launchers = resident.Launchers()
    document = run(pipelines.large_artifact(MOVED), 3)
    pods = launchers.end()
    seen = {}
    for task in document['tasks']:
        names = [name for name in pods if f'-{task["name"]}-' in name]
        if len(names) != 1:
            raise SystemExit(f'error: the launcher of {task["name"]} was not seen once: {sorted(pods)}')
        seen[task['name']] = pods[names[0]]
    rest, moving = seen['rest'], max((seen['write'], seen['read']), key=lambda side: side.most_own)
    size, entry_size = (os.path.getsize(os.path.join(programs, name)) / MEBIBYTE
                        for name in ('penstock-launcher', 'penstock-entry'))
    return [
        Row('penstock-launcher, size of the program', '8 MiB', f'{size:.2f} MiB', met=size <= 8),
        Row('penstock-entry, size of the program, static', '1 MiB', f'{entry_size:.2f} MiB', met=entry_size <= 1),
        Row('launcher, memory of its own while the user\'s process works', '15 MiB', f'{rest.own:.1f} MiB',
            f'with pages of its program: {rest.now:.1f} MiB', rest.own <= 15),
        Row(f'launcher, most memory of its own while it moves {MOVED} MiB', '32 MiB', f'{moving.most_own:.1f} MiB',
            f'upload {seen["write"].most_own:.1f}, download {seen["read"].most_own:.1f};'
            f' with pages of its program: {moving.most:.1f} MiB', moving.most_own <= 32),
    ]


def entry(start_time: str, programs: str) -> list[Row]:
    """Time from the entry's start to the user's process, beside a bare start."""
    progress('start of the entry')
    done = subprocess.run([start_time, os.path.join(programs, 'penstock-entry'), '500'], capture_output=True, text=True,
                          timeout=120, check=True)
    figures = {what: dict(re.findall(r'(median|\d+%) ([\d.]+) ms', rest))
               for what, rest in (line.split(': ', 1) for line in done.stdout.splitlines())}
    ours, bare = figures['started by the entry'], figures['started directly']
    return [Row('entry: from its start to the user\'s process, no inputs, 500 starts', '5 ms',
                f'{ours["median"]} ms (5% {ours["5%"]}, 99% {ours["99%"]})',
                f'the same process started directly: {bare["median"]} ms', float(ours['median']) <= 5)]


class Service:
    """`penstock serve` as it is installed, asked from within its Pod."""

    def __init__(self, api: cluster_api.Api, namespace: str, image: str):
        self.api, self.namespace, self.image = api, namespace, image
        self.kubectl = [os.environ.get('PENSTOCK_TEST_KUBECTL', 'kubectl'), '-n', SYSTEM_NAMESPACE, 'exec', '-i',
                        'deploy/penstock', '--', '/usr/bin/penstock']

    def call(self, *arguments: str, given: str = '') -> str:
        done = subprocess.run([*self.kubectl, *arguments], input=given, capture_output=True, text=True, timeout=120,
                              check=False)
        if done.returncode != 0:
            raise SystemExit(f'error: penstock {" ".join(arguments)}: {done.stderr[-2000:]}')
        return done.stdout + done.stderr

    def rows(self) -> list[Row]:
        """Its memory while nothing runs, and while a hundred tasks do."""
        progress(f'{LIVE} tasks that the service drives')
        pids = list(resident.processes('penstock', 'serve'))
        if len(pids) != 1:
            raise SystemExit(f'error: `penstock serve` runs {len(pids)} times, not once')
        idle, busy = resident.Resident(), resident.Resident()
        idle.look(pids[0])
        document = pipelines.loop(LIVE, ['sleep', '600'])
        document['deploymentSpec']['executors']['exec-command']['container']['image'] = self.image
        answer = self.call('run', '--on', 'kubernetes', '--detach', '-n', self.namespace, '--concurrency', '1000',
                           '/dev/stdin', given=json.dumps(document))
        run = next(line for line in answer.splitlines() if re.fullmatch(r'[0-9a-f-]{36}', line))
        self._wait(LIVE, f'{LIVE} Pods do not run')
        for _ in range(50):
            busy.look(pids[0])
            time.sleep(0.1)
        self.call('stop', run)
        self._wait(0, 'the Pods of the stopped run do not end')
        return [
            Row('`penstock serve`, memory resident, nothing runs', '64 MiB', f'{idle.now:.1f} MiB',
                f'of its own: {idle.own:.1f} MiB', idle.now <= 64),
            Row(f'`penstock serve`, most memory resident up to {LIVE} tasks at once', '64 MiB', f'{busy.most:.1f} MiB',
                f'of its own: {busy.most_own:.1f} MiB', busy.most <= 64),
        ]

    def _wait(self, running: int, failed: str) -> None:
        deadline = time.monotonic() + 300
        while True:
            pods = self.api.call('GET', f'/api/v1/namespaces/{self.namespace}/pods')['items']
            if sum(1 for pod in pods if pod.get('status', {}).get('phase') == 'Running') == running:
                return
            if time.monotonic() > deadline:
                raise SystemExit(f'error: {failed} within 300 s')
            time.sleep(0.5)
