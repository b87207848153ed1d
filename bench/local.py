"""Measures Penstock on one machine beside kfp.local, in one run, interleaved. Prints a table for docs/benchmarks.md.

    python bench/local.py --penstock target/release/penstock

Both sides run the same compiled pipeline with the same interpreter. Every figure is a median over rounds, with the
smallest and the largest value.
"""

import argparse
import contextlib
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import pipelines


def spread(values: list[float], unit: str, factor: float = 1.0, digits: int = 2) -> str:
    scaled = [value * factor for value in values]
    middle, low, high = statistics.median(scaled), min(scaled), max(scaled)
    return f'{middle:.{digits}f} {unit} ({low:.{digits}f}–{high:.{digits}f})'


class Penstock:
    """Runs of the binary, each with the time it took and the memory it needed at most."""

    def __init__(self, binary: str, directory: str):
        self.binary, self.directory = os.path.abspath(binary), directory

    def run(self, pipeline: str, *arguments: str, data: str) -> tuple[float, int, dict]:
        command = [self.binary, 'run', pipeline, '-o', 'json', '--data-dir', os.path.join(self.directory, data)]
        output = tempfile.TemporaryFile()
        started = time.perf_counter()
        process = subprocess.Popen(
            [*command, '--python', sys.executable, *arguments], stdout=output, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - started
        output.seek(0)
        document = json.load(output)
        if os.waitstatus_to_exitcode(status) != 0 or document['state'] != 'SUCCEEDED':
            sys.exit(f'error: {pipeline} ended as {document["state"]}: {document["error"]}')
        return took, usage.ru_maxrss, document

    def write(self, name: str, document: dict) -> str:
        path = os.path.join(self.directory, name)
        with open(path, 'w') as file:
            json.dump(document, file)
        return path


def kfp_local_chain(directory: str) -> float:
    """One run with kfp.local, in a process of its own as a user has it; the import of kfp is not counted."""
    code = (
        'import sys, time\n'
        f'sys.path.insert(0, {os.path.dirname(os.path.abspath(__file__))!r})\n'
        'import pipelines\n'
        'from kfp import local\n'
        f'local.init(local.SubprocessRunner(use_venv=False), pipeline_root={directory!r}, raise_on_error=True)\n'
        'started = time.perf_counter()\n'
        'task = pipelines.chain()\n'
        'took = time.perf_counter() - started\n'
        'assert task.outputs["Output"] == 10 or task.output == 10\n'
        'print("TOOK", took)\n'
    )
    environment = {**os.environ, 'PATH': os.path.dirname(sys.executable) + os.pathsep + os.environ['PATH']}
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, env=environment, timeout=300)
    for line in done.stdout.splitlines():
        if line.startswith('TOOK '):
            return float(line.split()[1])
    sys.exit(f'error: kfp.local failed: {done.stderr[-2000:]}')


def bare_spawn(command: list[str], times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        os.waitpid(os.posix_spawnp(command[0], command, os.environ), 0)
    return (time.perf_counter() - started) / times


def measure(penstock: Penstock, rounds: int, large: bool) -> list[tuple[str, str, str]]:
    rows = []
    chain = os.path.join(penstock.directory, 'chain.yaml')
    pipelines.compile_chain(chain)
    ours, theirs, inside = [], [], []
    penstock.run(chain, data='chain')  # the metastore exists, the file cache is warm
    for number in range(rounds):
        theirs.append(kfp_local_chain(os.path.join(penstock.directory, f'kfp-{number}')) / pipelines.CHAIN_LENGTH)
        took, _, document = penstock.run(chain, data='chain')
        ours.append(took / pipelines.CHAIN_LENGTH)
        inside.append(later_tasks(document))
    rows.append(('chain of 10 lightweight Python components, per task, the start of everything included',
                 spread(ours, 's', digits=3), spread(theirs, 's', digits=3)))
    rows.append(('the same, from the second task on', spread(inside, 's', digits=3), ''))

    true = ['true']
    path = penstock.write('commands.json', pipelines.commands(100, False, true))
    spawn, commands = [], []
    for _ in range(rounds):
        spawn.append(bare_spawn(true, 200))
        commands.append(penstock.run(path, '--host-commands', data='commands')[0] / 100)
    rows.append(('chain of 100 commands (`true`), per task; beside it the bare spawn of one',
                 spread(commands, 'ms', 1e3), spread(spawn, 'ms', 1e3)))

    path = penstock.write('cached.json', pipelines.commands(100, True, true))
    penstock.run(path, '--host-commands', data='cached')
    cached = []
    for _ in range(rounds):
        took, _, document = penstock.run(path, '--host-commands', data='cached')
        if not all(task['cached'] for task in document['tasks']):
            sys.exit('error: a task did not come from the cache')
        cached.append(took)
    rows.append(('run of 100 tasks that all come from the cache, in all', spread(cached, 'ms', 1e3, 0), ''))

    per_task, memory = {}, {}
    for items in (1000, 10000) if large else (1000,):
        path = penstock.write(f'loop-{items}.json', pipelines.loop(items, true))
        per_task[items], memory[items] = [], []
        for number in range(rounds if items == 1000 else max(rounds // 2, 1)):
            took, kilobytes, _ = penstock.run(path, '--host-commands', data=f'loop-{items}-{number}')
            per_task[items].append(took / items)
            memory[items].append(kilobytes / 1024)
        rows.append((f'loop of {items:,} commands (`true`), per iteration', spread(per_task[items], 'ms', 1e3), ''))
        rows.append((f'loop of {items:,} commands, most memory resident', spread(memory[items], 'MiB', 1, 0), ''))
    return rows


def later_tasks(document: dict) -> float:
    """Time from the end of the first task to the end of the last, per task."""
    ends = sorted(datetime.datetime.fromisoformat(task['finished_at'][:26].rstrip('Z') + '+00:00')
                  for task in document['tasks'])
    return (ends[-1] - ends[0]).total_seconds() / (len(ends) - 1)


def machine() -> str:
    model = 'unknown processor'
    with contextlib.suppress(OSError), open('/proc/cpuinfo') as file:
        model = next(line.split(':')[1].strip() for line in file if line.startswith('model name'))
    return f'{model}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--penstock', required=True, help='the binary, built with --release')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--small', action='store_true', help='leave the loop of 10,000 out')
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='penstock-bench-') as directory:
        rows = measure(Penstock(arguments.penstock, directory), arguments.rounds, not arguments.small)
    load = ', '.join(f'{value:.1f}' for value in os.getloadavg())
    print(f'{datetime.date.today()}, {machine()}; median (smallest–largest) of {arguments.rounds} rounds;'
          f' load averages at the end {load}\n')
    print('| what | Penstock | beside it |\n|---|---|---|')
    for what, ours, theirs in rows:
        print(f'| {what} | {ours} | {theirs or "–"} |')


if __name__ == '__main__':
    main()
