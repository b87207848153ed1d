"""Fills a store with copies of one run that was really made, as a million runs of a year would leave it.

Copies go in by SQL, since making them would take hours. Each has a second of its own, an experiment of twenty, a namespace of
four, and one of two states: one of four has failed; one of three is archived.
"""

import contextlib
import dataclasses
import sqlite3
import subprocess
import sys
import uuid

# When the first copy was made, in nanoseconds since 1970.
START = 1_700_000_000 * 10**9
SECOND = 10**9
FILL_LIMIT = 900
# One of those that have copies.
NAMESPACE = 'team-1'
# Copies that are counted in two ways first, to see that both give the same.
CHECKED = 1_000

# What a copy has of its own; everything else is the original's. `{n}` is its number.
OWN = {
    'id': '{random_id}',
    'name': "'copy-' || {n}",
    'display_name': "'Copy ' || ({n} * 7919 % {count})",
    'created_at': '{start} + {n} * {second}',
    'scheduled_at': '{start} + {n} * {second}',
    'started_at': '{start} + {n} * {second}',
    'finished_at': '{start} + {n} * {second} + {second}',
    'experiment_id': '(SELECT id FROM bench_experiments WHERE number = {n} % {experiments})',
    'namespace': "'team-' || ({n} % 4)",
    'status': "CASE WHEN {n} / {experiments} % 4 = 0 THEN 'FAILED' ELSE 'SUCCEEDED' END",
    'storage_state': "CASE WHEN {n} % 3 = 0 THEN 'ARCHIVED' ELSE 'AVAILABLE' END",
}


@dataclasses.dataclass
class Sqlite:
    """The file of a data directory; nobody else may have it open."""

    path: str

    def fill(self, original: str, experiments: list[str], count: int) -> None:
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            connection.execute('PRAGMA cache_size = -500000')
            rows = connection.execute('PRAGMA table_info(runs)').fetchall()
            columns = [row[1] for row in rows]
            connection.execute('CREATE TEMP TABLE bench_experiments (number INTEGER PRIMARY KEY, id BLOB)')
            numbered = [(number, uuid.UUID(text).bytes) for number, text in enumerate(experiments)]
            connection.executemany('INSERT INTO bench_experiments VALUES (?, ?)', numbered)
            numbers = f'(WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {count}) SELECT n FROM c)'
            original_id = f"x'{uuid.UUID(original).hex}'"
            for statement in _statements(columns, numbers, 'randomblob(16)', original_id, len(experiments), count):
                connection.execute(statement)
            connection.commit()
            connection.execute('PRAGMA wal_checkpoint(TRUNCATE)')


@dataclasses.dataclass
class Postgres:
    """A database, by its URL.

    Its trigger would change the same few rows of `run_counts` a million times in one transaction, and each time step over all
    their earlier versions. So it is off during the fill, and the copies are counted once at its end. Indices are made at the
    end, too: copies come in the order of none but one.
    """

    url: str

    def fill(self, original: str, experiments: list[str], count: int) -> None:
        by_trigger = self._counts(self._copies(original, experiments, CHECKED))
        at_once = self._counts(_at_once(self._copies(original, experiments, CHECKED)))
        if by_trigger != at_once:
            sys.exit(f'error: of {CHECKED} copies the trigger counts\n{by_trigger}\nand this program counts\n{at_once}')
        self._sql(_at_once(self._copies(original, experiments, count)))
        self._sql(['VACUUM (ANALYZE)'])

    def _copies(self, original: str, experiments: list[str], count: int) -> list[str]:
        listed = self._sql(["SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'"
                            " AND table_name = 'runs' AND is_generated = 'NEVER'"])
        values = ', '.join(f"({number}, '{uuid.UUID(text)}'::uuid)" for number, text in enumerate(experiments))
        return [
            'CREATE TEMP TABLE bench_experiments (number bigint PRIMARY KEY, id uuid)',
            f'INSERT INTO bench_experiments VALUES {values}',
            *_statements(listed.split(), f'generate_series(1::bigint, {count}::bigint) AS c (n)', 'gen_random_uuid()',
                         f"'{uuid.UUID(original)}'::uuid", len(experiments), count),
        ]

    def _counts(self, statements: list[str]) -> str:
        """How many runs of each kind there would be after some statements."""
        counts = 'SELECT * FROM run_counts ORDER BY namespace, experiment_id, storage_state, status'
        return self._sql(['BEGIN', *statements, counts, 'ROLLBACK'])

    def _sql(self, statements: list[str]) -> str:
        done = subprocess.run(['psql', '-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', self.url, '-c', '; '.join(statements)],
                              capture_output=True, text=True, timeout=FILL_LIMIT, check=False)
        if done.returncode != 0:
            sys.exit(f'error: psql failed: {done.stderr[-1000:]}')
        return done.stdout


def _at_once(copies: list[str]) -> list[str]:
    """Statements that fill the table of runs, between those that take its trigger and its indices away and put them back."""
    each = 'DO $$ DECLARE it record; BEGIN FOR it IN SELECT * FROM bench_indices LOOP EXECUTE {command}; END LOOP; END $$'
    return [
        'ALTER TABLE runs DISABLE TRIGGER run_counted',
        'CREATE TEMP TABLE bench_indices AS SELECT indexname, indexdef FROM pg_indexes'
        " WHERE schemaname = 'public' AND tablename = 'runs' AND indexname NOT IN (SELECT conname FROM pg_constraint)",
        each.format(command="format('DROP INDEX %I', it.indexname)"),
        *copies,
        'INSERT INTO run_counts (namespace, experiment_id, storage_state, status, run_count)'
        " SELECT namespace, experiment_id, storage_state, status, count(*) FROM runs WHERE name LIKE 'copy-%'"
        ' GROUP BY namespace, experiment_id, storage_state, status'
        ' ON CONFLICT (namespace, experiment_id, storage_state, status)'
        ' DO UPDATE SET run_count = run_counts.run_count + excluded.run_count',
        "SET LOCAL maintenance_work_mem = '256MB'",
        each.format(command='it.indexdef'),
        'ALTER TABLE runs ENABLE TRIGGER run_counted',
    ]


def _statements(columns: list[str], numbers: str, random_id: str, original: str, experiments: int, count: int) -> list[str]:
    words = {'random_id': random_id, 'n': 'numbers.n', 'count': count, 'start': START, 'second': SECOND,
             'experiments': experiments}
    chosen = ', '.join(OWN[name].format(**words) if name in OWN else f'runs.{name}' for name in columns)
    # A subquery has its name behind it in both; a function's has it there already.
    source = numbers.replace(' AS c (n)', ' AS numbers (n)') if ' AS c' in numbers else f'{numbers} AS numbers'
    return [
        f'INSERT INTO runs ({", ".join(columns)}) SELECT {chosen} FROM {source}, runs WHERE runs.id = {original}',
        'INSERT INTO run_specs (run_id, pipeline_text, parameters_json) SELECT runs.id, run_specs.pipeline_text,'
        f" run_specs.parameters_json FROM runs, run_specs WHERE run_specs.run_id = {original}"
        " AND runs.name LIKE 'copy-%'",
    ]
