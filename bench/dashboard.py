"""Measures the dashboard in a real browser, over a store of many runs, and prints a table.

    python bench/dashboard.py --penstock target/release/penstock

Needs the packages of `dashboard/` and a Chromium, as `make bench-dashboard` installs them. With --write FILE the table also
replaces what FILE has between the two marks.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile

import machine
from api import Store
from report import Row, progress, spread, table, write_between_marks

MARKS = ('<!-- figures of the dashboard: written by `make bench-dashboard` -->', '<!-- end of figures of the dashboard -->')
DASHBOARD = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'dashboard')
# Milliseconds that laying a graph out may take.
LAYOUT_GOALS = {'200 boxes': 100, '2,000 boxes': 1_000}
LIMIT = 3_600


def npx(*arguments: str, **variables: str) -> None:
    """Runs a tool of the dashboard. What it measured before it failed is not lost."""
    done = subprocess.run(['npx', *arguments], cwd=DASHBOARD, env={**os.environ, **variables}, timeout=LIMIT,
                          stdout=sys.stderr, check=False)
    if done.returncode != 0:
        progress(f'{arguments[0]} ended with {done.returncode}: not all could be measured')


def layout_rows(directory: str) -> list[Row]:
    """Graphs laid out in Node.js, which has the browser's engine."""
    progress('layout of graphs')
    file = f'{directory}/layout.json'
    npx('vitest', 'bench', '--run', f'--outputJson={file}')
    with open(file) as text:
        files = json.load(text)['files']
    rows = []
    for measured in (each for part in files for group in part['groups'] for each in group['benchmarks']):
        goal = LAYOUT_GOALS.get(measured['name'])
        rows.append(Row(
            f'layout of {measured["name"]}', f'{goal} ms' if goal else '',
            f'{measured["median"]:.0f} ms ({measured["min"]:.0f} to {measured["max"]:.0f})',
            f'{measured["sampleCount"]} times', measured['median'] <= goal if goal else None))
    return rows


def page_rows(directory: str, penstock: str, store: Store, rounds: int) -> list[Row]:
    progress('pages')
    file = f'{directory}/figures.jsonl'
    npx('playwright', 'test', '--workers', '1', PENSTOCK_PART='bench', ROUNDS=str(rounds), PENSTOCK_FIGURES=file,
        PENSTOCK_TEST_PROGRAM=penstock, PENSTOCK_TEST_PYTHON=sys.executable, PENSTOCK_TEST_DATA_DIR=store.directory)
    with open(file) as lines:
        return [page_row(json.loads(line)) for line in lines]


def page_row(figure: dict) -> Row:
    values, unit, goal = figure['values'], figure['unit'], figure.get('goal')
    ours = spread(values, unit, digits=0) if len(values) > 1 else f'{values[0]:.0f} {unit}'
    return Row(figure['what'], f'{goal} {unit}' if goal else '', ours,
               figure.get('beside', f'{len(values)} times' if len(values) > 1 else ''),
               statistics.median(values) <= goal if goal else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--penstock', required=True, help='the binary, a release build')
    parser.add_argument('--runs', type=int, default=1_000_000, help='in the store')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--directory', help='where the store goes, and stays for the next time [default: a temporary one]')
    parser.add_argument('--write', metavar='FILE')
    arguments = parser.parse_args()
    penstock = os.path.abspath(arguments.penstock)
    load_before = machine.load()
    with contextlib.ExitStack() as stack:
        directory = arguments.directory or stack.enter_context(tempfile.TemporaryDirectory())
        disk = machine.disk(directory)
        store = Store(penstock, f'{directory}/sqlite-{arguments.runs}', arguments.runs)
        store.fill()
        with tempfile.TemporaryDirectory() as results:
            rows = layout_rows(results) + page_rows(results, penstock, store, arguments.rounds)
    counted = (f'{arguments.runs:,} runs in the store (SQLite). Median (smallest to largest); the browser is Chromium'
                 ' without a graphics card, on the same two processors as the server.')
    text = machine.describe(penstock, disk, load_before, counted) + '\n\n' + table(rows)
    print(text, flush=True)
    if arguments.write:
        write_between_marks(arguments.write, MARKS, text)
    if any(row.met is False for row in rows):
        print('some goals are not met', file=sys.stderr)


if __name__ == '__main__':
    main()
