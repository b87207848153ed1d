"""Measures Penstock on one machine beside kfp.local, interleaved in one run, and prints a table.

    python bench/local.py --penstock target/release/penstock --step-cost target/release/examples/step_cost

Both sides run the same pipeline with the same interpreter, the one that runs this script. One round of everything is
done first and not counted. Every figure is the median of the rounds, with the smallest and the largest; no round is left
out. With --write FILE the table also replaces what FILE has between the two marks.
"""

import argparse
import os
import statistics
import sys
import tempfile

import machine
import pipelines
import runners
from report import Row, progress, spread, table, write_between_marks

MARKS = ('<!-- figures: written by `make bench` -->', '<!-- end of figures -->')
COMMANDS = 100
LOOPS = (1_000, 10_000)
NO_OP = ['true']


def chain_rows(ours: list[runners.Run], theirs: list[runners.Run]) -> list[Row]:
    length = pipelines.CHAIN_LENGTH
    wall = [run.seconds / length for run in ours]
    beside = [run.seconds / length for run in theirs]
    later = [run.later_tasks() for run in ours]
    return [
        Row(f'{length} lightweight Python components in a chain, time per task, start and end of the process included',
            '0.05 s', spread(wall, 's', digits=3), 'kfp.local, its import not counted: ' + spread(beside, 's', digits=3),
            statistics.median(wall) <= 0.05),
        Row('the same, from the end of the first task to the end of the last, per task', '',
            spread(later, 'ms', 1e3, 1)),
        Row('the same, processor time of all processes per task', '',
            spread([run.cpu / length for run in ours], 's', digits=3),
            'kfp.local: ' + spread([run.cpu / length for run in theirs], 's', digits=3)),
        Row('start of the process to the start of the first task', '',
            spread([run.until_first() for run in ours], 'ms', 1e3, 0)),
    ]


def command_rows(ours: list[runners.Run], spawns: list[float]) -> list[Row]:
    overhead = [run.seconds / COMMANDS - spawn for run, spawn in zip(ours, spawns, strict=True)]
    return [
        Row(f'{COMMANDS} commands (`true`) in a chain, overhead per task: all of the run, less the bare start of as many',
            '5 ms', spread(overhead, 'ms', 1e3), 'one bare start: ' + spread(spawns, 'ms', 1e3),
            statistics.median(overhead) <= 0.005),
        Row('the same, processor time of all processes per task', '',
            spread([run.cpu / COMMANDS for run in ours], 'ms', 1e3)),
    ]


def loop_rows(loops: dict[int, list[runners.Run]]) -> list[Row]:
    rows = []
    for items, runs in loops.items():
        rows.append(Row(f'loop of {items:,} commands, time per iteration', '',
                        spread([run.seconds / items for run in runs], 'ms', 1e3)))
    small, large = LOOPS
    if large in loops:
        # Rounds that ran next to each other are compared.
        ratios = [(b.seconds / large) / (a.seconds / small) for a, b in zip(loops[small], loops[large], strict=True)]
        cpu = [(b.cpu / large) / (a.cpu / small) for a, b in zip(loops[small], loops[large], strict=True)]
        rows.append(Row('time per iteration of the large loop, as a multiple of the small one', '1.1',
                        spread(ratios, '×'), 'of processor time: ' + spread(cpu, '×'),
                        statistics.median(ratios) <= 1.1))
        memory = [run.megabytes for run in loops[large]]
        beside = f'loop of {small:,}: ' + spread([run.megabytes for run in loops[small]], 'MiB', digits=0)
        rows.append(Row(f'most memory resident, loop of {large:,}', '150 MiB', spread(memory, 'MiB', digits=0), beside,
                        statistics.median(memory) <= 150))
    return rows


def step_rows(costs: list[dict]) -> list[Row]:
    rows = []
    medians = {}
    for cost in costs:
        means = cost['us_per_fact']
        name = f'{cost["size"]:,} tasks, {cost["pipeline"]}'
        if cost['pipeline'].startswith('loop'):
            name = f'{cost["pipeline"]}, {cost["size"]:,} items'
        if cost['pipeline'] == 'layers of 10':
            medians[cost['size']] = statistics.median(means)
        rows.append(Row(f'`step`, time per fact: {name}', '20 µs', spread(means, 'µs'),
                        f'99th percentile of the steps {cost["us_per_fact_p99"]:.1f} µs',
                        statistics.median(means) <= 20))
    if len(medians) > 1:
        smallest, largest = min(medians), max(medians)
        ratio = medians[largest] / medians[smallest]
        rows.append(Row(f'`step`, {largest:,} tasks as a multiple of {smallest:,}', 'flat', f'{ratio:.2f} ×',
                        met=ratio <= 1.25))
    return rows


def measure(arguments: argparse.Namespace, directory: str) -> list[Row]:
    penstock = runners.Penstock(arguments.penstock, directory)
    kfp_local = runners.KfpLocal(directory)
    chain = os.path.join(directory, 'chain.yaml')
    pipelines.compile_chain(chain)
    commands = penstock.write('commands.json', pipelines.commands(COMMANDS, False, NO_OP))
    cached = penstock.write('cached.json', pipelines.commands(COMMANDS, True, NO_OP))
    sizes = LOOPS[:1] if arguments.small else LOOPS
    loop_files = {items: penstock.write(f'loop-{items}.json', pipelines.loop(items, NO_OP)) for items in sizes}

    host = '--host-commands'
    chains, locals_, command_runs, spawns, cached_runs = [], [], [], [], []
    loops: dict[int, list[runners.Run]] = {items: [] for items in sizes}
    for number in range(arguments.rounds + 1):
        progress(f'round {number} of {arguments.rounds}' if number else 'the round that is not counted')
        theirs = kfp_local.chain(number)
        ours = penstock.run(chain, data='chain')
        spawn = runners.bare_start(NO_OP, 200)
        command = penstock.run(commands, host, data='commands')
        hit = penstock.run(cached, host, data='cached')
        # A loop gets a data directory of its own, so that no round finds more there than another.
        loop = {items: penstock.run(path, host, data=f'loop-{items}-{number}') for items, path in loop_files.items()}
        if number == 0:
            continue
        if not all(task['cached'] for task in hit.document['tasks'] if task['kind'] == 'CONTAINER'):
            sys.exit('error: a task did not come from the cache')
        chains.append(ours)
        locals_.append(theirs)
        spawns.append(spawn)
        command_runs.append(command)
        cached_runs.append(hit)
        for items in sizes:
            loops[items].append(loop[items])
    rows = chain_rows(chains, locals_) + command_rows(command_runs, spawns)
    wall = [run.seconds for run in cached_runs]
    rows.append(Row(f'run of {COMMANDS} tasks that all come from the cache, the whole process', '300 ms',
                    spread(wall, 'ms', 1e3, 0), 'processor time: ' + spread([run.cpu for run in cached_runs], 'ms', 1e3, 0),
                    statistics.median(wall) <= 0.3))
    rows += loop_rows(loops)
    if arguments.step_cost:
        progress('the engine alone')
        rows += step_rows(runners.step_cost(arguments.step_cost, arguments.rounds))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--penstock', required=True, help='the binary, built with --release')
    parser.add_argument('--step-cost', help='the example of that name of penstock-engine, built with --release')
    parser.add_argument('--rounds', type=int, default=5, help='rounds that count (5)')
    parser.add_argument('--small', action='store_true', help=f'leave the loop of {LOOPS[1]:,} out')
    parser.add_argument('--data', help='where data directories are made; the temporary directory by default')
    parser.add_argument('--write', metavar='FILE', help='also put the table into this page')
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error('--rounds must be at least 1')
    load_before = machine.load()
    with tempfile.TemporaryDirectory(prefix='penstock-bench-', dir=arguments.data) as directory:
        disk = machine.disk(directory)
        rows = measure(arguments, directory)
    text = '\n\n'.join([
        machine.describe(arguments.penstock, disk, load_before, machine.of_rounds(arguments.rounds)),
        table(rows),
    ])
    print(text)
    if arguments.write:
        write_between_marks(arguments.write, MARKS, text)


if __name__ == '__main__':
    main()
