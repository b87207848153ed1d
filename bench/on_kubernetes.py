"""Measures Penstock on a real Kubernetes beside bare Pods, interleaved in one run, and prints a table.

    python bench/on_kubernetes.py --penstock target/release/penstock --programs target/image/tree \
        --start-time target/release/examples/start_time --namespace bench

The cluster is the one of KUBECONFIG, its API server's audit log is PENSTOCK_TEST_AUDIT_LOG, and Penstock is installed in
it. Both sides run the same container (`true` in busybox); bare Pods are created by a client that watches phases. One
round of everything is done first and not counted. Every figure is the median of the rounds, with the smallest and the
largest; no round is left out. With --write FILE the table also replaces what FILE has between its two marks.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import audit
import bare
import cluster_api
import machine
import parts
import pipelines
from report import Row, percentile, progress, spread, table, write_between_marks

MARKS = ('<!-- figures of Kubernetes: written by `make bench-kubernetes` -->', '<!-- end of figures of Kubernetes -->')
IMAGE = 'busybox:1.36'
CONTAINER = {'image': IMAGE, 'command': ['true'], 'imagePullPolicy': 'IfNotPresent'}
CHAINS = (10, 20)
FANS = (30, 100)
TIME_LIMIT = 900


class Penstock:
    """`penstock run --on kubernetes`, whose driver is the process itself."""

    def __init__(self, binary: str, namespace: str, directory: str):
        self.binary, self.namespace, self.directory = os.path.abspath(binary), namespace, directory

    def run(self, document: dict, tasks: int) -> dict:
        path = os.path.join(self.directory, 'pipeline.json')
        for executor in document['deploymentSpec']['executors'].values():
            executor['container']['image'] = IMAGE
        with open(path, 'w') as file:
            json.dump(document, file)
        done = subprocess.run(
            [self.binary, 'run', '--on', 'kubernetes', '-n', self.namespace, '-o', 'json', '--concurrency', '1000',
             '--no-cache', '--data-dir', os.path.join(self.directory, 'data'), path],
            capture_output=True, text=True, timeout=TIME_LIMIT, check=False)
        if done.returncode != 0:
            sys.exit(f'error: the run ended with code {done.returncode}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}')
        run = json.loads(done.stdout)
        ran = [task for task in run['tasks'] if task['kind'] == 'CONTAINER']
        if len(ran) != tasks or any(task['state'] != 'SUCCEEDED' for task in ran):
            sys.exit(f'error: {len(ran)} tasks ran, not {tasks}')
        return run


class Measurement:
    """What the rounds gave."""

    def __init__(self, arguments: argparse.Namespace, directory: str):
        self.api = cluster_api.Api(os.environ['KUBECONFIG'])
        self.log = audit.AuditLog(os.environ['PENSTOCK_TEST_AUDIT_LOG'])
        self.namespace = arguments.namespace
        self.bare = bare.BarePods(self.api, arguments.namespace, CONTAINER)
        self.penstock = Penstock(arguments.penstock, arguments.namespace, directory)
        self.chains = {length: ([], []) for length in CHAINS}
        self.with_sidecar = bare.PodsWithSidecar(self.api, arguments.namespace, CONTAINER)
        self.fans = {width: ([], []) for width in FANS}
        self.fans_with_sidecar: dict[int, list[float]] = {width: [] for width in FANS}
        self.hops: list[float] = []
        self.writes: list[float] = []
        self.reports: list[float] = []

    def round(self, number: int) -> None:
        counts = number > 0
        for length, (ours, theirs) in self.chains.items():
            progress(f'round {number}: chain of {length}')
            requests, theirs_took = self._both(
                pipelines.commands(length, False, ['true']), length,
                lambda length=length: self.bare.chain(f'bare-{number}-{length}', length))
            if counts:
                ours.append(audit.span(requests))
                theirs.append(theirs_took)
                self.hops += audit.hops(requests)
                self._count(requests, length)
        for width, (ours, theirs) in self.fans.items():
            progress(f'round {number}: {width} at once')
            requests, theirs_took = self._both(
                pipelines.loop(width, ['true']), width,
                lambda width=width: self.bare.fan_out(f'bare-{number}-{width}', width))
            created = {request.pod for request in requests if request.verb == 'create' and not request.subresource}
            if len([r for r in requests if r.verb == 'create' and not r.subresource]) != width:
                sys.exit(f'error: {len(created)} Pods were created for {width} tasks')
            with_sidecar_took = self.with_sidecar.fan_out(f'sidecar-{number}-{width}', width)
            self.bare.remove_all()
            if counts:
                ours.append(audit.span(requests))
                theirs.append(theirs_took)
                self.fans_with_sidecar[width].append(with_sidecar_took)

    def _both(self, document: dict, tasks: int, bare_side) -> tuple[list[audit.Request], float]:
        self.log.requests(self.namespace)
        self.penstock.run(document, tasks)
        requests = self.log.requests(self.namespace)
        self.bare.remove_all()
        took = bare_side()
        self.bare.remove_all()
        return requests, took

    def _count(self, requests: list[audit.Request], tasks: int) -> None:
        ours = [request for request in requests if not request.is_of_the_cluster()]
        kept = [request for request in ours if request.verb != 'delete' and request.subresource != 'binding']
        self.writes.append(len(kept) / tasks)
        self.reports += [request.answered - request.received for request in requests if request.is_report()]

    def rows(self) -> list[Row]:
        rows = []
        for length, sides in self.chains.items():
            rows += _beside_bare(f'chain of {length} no-op tasks', 0.4, *sides)
        for width, sides in self.fans.items():
            rows += _beside_bare(f'{width} no-op tasks at once', 1.3, *sides)
            ratios = [mine / other for mine, other in zip(self.fans_with_sidecar[width], sides[1], strict=True)]
            rows.append(Row(f'{width} bare Pods at once, each with a sidecar that does nothing', '', '',
                            f'{spread(self.fans_with_sidecar[width], "s")}, {spread(ratios, "×")} of bare Pods'))
        late = percentile(self.hops, 99)
        middle = statistics.median(self.hops)
        rows.append(Row(f'hop: report stored to next create received, {len(self.hops)} hops', '5 ms median, 25 ms p99',
                        f'{middle * 1e3:.1f} ms median, {late * 1e3:.1f} ms p99',
                        met=middle <= 0.005 and late <= 0.025))
        rows.append(Row('report, as the API server takes it', '', spread(self.reports, 'ms', 1e3, 1)))
        rows.append(Row('writes of our parts per task beside the deletion', '3', spread(self.writes, ''),
                        met=statistics.median(self.writes) <= 3))
        return rows


def _beside_bare(what: str, goal: float, ours: list[float], theirs: list[float]) -> list[Row]:
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    return [
        Row(f'{what}, first create received to last report stored', '', spread(ours, 's'),
            f'bare Pods, first create to last phase seen: {spread(theirs, "s")}'),
        Row('the same, as a multiple of bare Pods', str(goal), spread(ratios, '×'), met=statistics.median(ratios) <= goal),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--penstock', required=True, help='the binary, built with --release')
    parser.add_argument('--programs', required=True, help='the directory of launcher and entry, as they are in the image')
    parser.add_argument('--start-time', required=True, help='the example of penstock-entry that measures its start')
    parser.add_argument('--namespace', default='bench', help='a namespace that Penstock looks after (bench)')
    parser.add_argument('--rounds', type=int, default=5, help='rounds that count (5)')
    parser.add_argument('--write', metavar='FILE', help='also put the table into this page')
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error('--rounds must be at least 1')
    load_before = machine.load()
    with tempfile.TemporaryDirectory(prefix='penstock-bench-') as directory:
        disk = machine.disk(directory)
        measurement = Measurement(arguments, directory)
        for number in range(arguments.rounds + 1):
            measurement.round(number)
        objects, task_pod = parts.objects(measurement.api, arguments.namespace, measurement.penstock.run, measurement.bare)
        rows = [
            *measurement.rows(),
            *objects,
            *parts.admission(measurement.api, arguments.namespace, task_pod),
            *parts.launcher(measurement.penstock.run, arguments.programs),
            *parts.entry(arguments.start_time, arguments.programs),
            *parts.Service(measurement.api, arguments.namespace, IMAGE).rows(),
        ]
    text = '\n\n'.join([machine.describe(arguments.penstock, disk, load_before, machine.of_rounds(arguments.rounds)),
                         table(rows)])
    print(text)
    if arguments.write:
        write_between_marks(arguments.write, MARKS, text)


if __name__ == '__main__':
    main()
