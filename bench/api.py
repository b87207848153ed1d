"""Measures the API of `penstock up` over stores of different sizes, interleaved in one run, and prints a table.

    python bench/api.py --penstock target/release/penstock

Each store is filled with copies of a run that was really made, and served by a process of its own. With --postgres URL, the
URL of a server on which this user may create databases, the same is measured there too. With --write FILE the table also
replaces what FILE has between the two marks.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid

import api_measures
import machine
import many_runs
import pipelines
from api_server import Server
from report import Row, progress, table, write_between_marks

MARKS = ('<!-- figures of the API: written by `make bench-api` -->', '<!-- end of figures of the API -->')
# So few that the failed runs of one fill a page in the smaller store, too.
EXPERIMENTS = 20


class Store:
    """A data directory, and perhaps a database, with as many runs."""

    def __init__(self, binary: str, directory: str, count: int, database: str = ''):
        self.binary, self.directory, self.count, self.database = binary, directory, count, database
        self.experiment = ''

    def serve(self) -> Server:
        return Server(self.binary, self.directory, self.database)

    def fill(self) -> None:
        """Fills it, unless an earlier measurement did."""
        filled = f'{self.directory}/filled'
        if os.path.exists(filled):
            with open(filled) as file:
                self.experiment = file.read()
            return
        os.mkdir(self.directory)
        progress(f'{self.count:,} runs into {self.database and "PostgreSQL" or "SQLite"}')
        started = time.monotonic()
        with self.serve() as server:
            made = [server.api.call('POST', '/apis/v2beta1/experiments', {'display_name': f'experiment {number}'})
                    for number in range(EXPERIMENTS)]
            experiments = [experiment['experiment_id'] for experiment in made]
            original, _ = server.api.submit('original', pipelines.commands(3, False, ['true']), experiments[0])
            server.api.wait(original['run_id'])
        target = many_runs.Postgres(self.database) if self.database else many_runs.Sqlite(f'{self.directory}/penstock.db')
        target.fill(original['run_id'], experiments, self.count)
        self.experiment = experiments[7]
        with open(filled, 'w') as file:
            file.write(self.experiment)
        # Gigabytes that the machine still writes are of the filling, not of what is measured next.
        os.sync()
        progress(f'they are there after {time.monotonic() - started:.0f} s')


def measure(stores: list[Store], arguments: argparse.Namespace, name: str) -> list[Row]:
    for store in stores:
        store.fill()
    experiments = {store.count: store.experiment for store in stores}
    rows = []
    with contextlib.ExitStack() as stack:
        servers = {store.count: stack.enter_context(store.serve()) for store in stores}
        largest = servers[max(servers)]
        for what, part in (
            ('lists', lambda: api_measures.list_rows(servers, experiments, arguments.requests, name)),
            ('a large run', lambda: api_measures.detail_rows(largest, arguments.requests, name)),
            ('new runs', lambda: api_measures.create_rows(largest, arguments.requests, name)),
            ('subscribers', lambda: api_measures.subscriber_rows(largest, arguments.subscribers, name)),
        ):
            try:
                rows += part()
            except (SystemExit, OSError) as error:
                # What else was measured is not lost.
                progress(f'{name}, {what}: {error}')
                rows.append(Row(f'{name}: {what}', '', 'could not be measured', met=False))
    return rows


@contextlib.contextmanager
def databases(url: str, counts: list[int]):
    """A database of its own for each store, gone afterwards."""
    base, _, query = url.partition('?')
    server, _, _ = base.rpartition('/')
    names = {count: f'penstock_bench_{uuid.uuid4().hex[:12]}' for count in counts}

    def administer(command: str) -> None:
        subprocess.run(['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', url, '-c', command], check=True, timeout=120)

    try:
        for name in names.values():
            administer(f'CREATE DATABASE {name}')
        yield {count: f'{server}/{name}' + (f'?{query}' if query else '') for count, name in names.items()}
    finally:
        for name in names.values():
            administer(f'DROP DATABASE IF EXISTS {name} WITH (FORCE)')


def tell(rows: list[Row], arguments: argparse.Namespace, disk: str, load_before: str) -> None:
    """What is known so far, so that nothing is lost of it."""
    counted = f'{arguments.requests} requests of each kind on one connection, in turns between the stores.'
    text = machine.describe(arguments.penstock, disk, load_before, counted) + '\n\n' + table(rows)
    print(text, flush=True)
    if arguments.write:
        write_between_marks(arguments.write, MARKS, text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--penstock', required=True, help='the binary, a release build')
    parser.add_argument('--runs', type=int, nargs=2, default=(10_000, 1_000_000), metavar=('SMALL', 'LARGE'))
    parser.add_argument('--requests', type=int, default=300, help='of each kind')
    parser.add_argument('--subscribers', type=int, default=1_000)
    parser.add_argument('--postgres', default='', metavar='URL')
    parser.add_argument('--directory', help='where the stores go, and stay for the next time [default: a temporary one]')
    parser.add_argument('--write', metavar='FILE')
    arguments = parser.parse_args()
    # Servers and databases of the measurement go, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    load_before = machine.load()
    rows = []
    with contextlib.ExitStack() as stack:
        directory = arguments.directory or stack.enter_context(tempfile.TemporaryDirectory())
        disk = machine.disk(directory)
        stores = [Store(arguments.penstock, f'{directory}/sqlite-{count}', count) for count in arguments.runs]
        rows += measure(stores, arguments, 'SQLite')
        tell(rows, arguments, disk, load_before)
        if arguments.postgres:
            urls = stack.enter_context(databases(arguments.postgres, arguments.runs))
            name = uuid.uuid4().hex[:8]
            stores = [Store(arguments.penstock, f'{directory}/postgres-{count}-{name}', count, url)
                      for count, url in urls.items()]
            rows += measure(stores, arguments, 'PostgreSQL')
            tell(rows, arguments, disk, load_before)
    if any(row.met is False for row in rows):
        print('some goals are not met', file=sys.stderr)


if __name__ == '__main__':
    main()
