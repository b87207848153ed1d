"""Says on what machine figures were taken."""

import contextlib
import datetime
import hashlib
import importlib.metadata
import os
import platform
import statistics
import subprocess
import time


def load() -> str:
    return ', '.join(f'{value:.1f}' for value in os.getloadavg())


def disk(directory: str) -> str:
    """The file system, and how long it takes to make 4 KiB last: what a commit cannot be faster than."""
    times = []
    with open(os.path.join(directory, 'sync'), 'wb', buffering=0) as file:
        for _ in range(200):
            file.write(bytes(4096))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - started)
    return f'{_file_system(directory)}, `fdatasync` of 4 KiB {statistics.median(times) * 1e3:.2f} ms (median of 200)'


def of_rounds(rounds: int) -> str:
    return f'Median (smallest to largest) of {rounds} rounds after one that is not counted.'


def describe(binary: str, disk_text: str, load_before: str, counted: str) -> str:
    """A list; `counted` says what the figures are of."""
    packages = ', '.join(f'{name} {importlib.metadata.version(name)}' for name in ('kfp',))
    lines = [
        f'- Taken on {datetime.date.today()}, commit {_commit()}, binary `sha256:{_digest(binary)}`.',
        f'- Machine: {_processor()}, {os.cpu_count()} processors, {_memory()} GiB of memory,'
        f' Linux {platform.release()}; {disk_text}.',
        f'- {platform.python_implementation()} {platform.python_version()}, {packages}, for both sides.',
        f'- Load averages (1, 5, 15 minutes): {load_before} before, {load()} after. The measurement itself makes load.',
        f'- {counted}',
    ]
    return '\n'.join(lines)


def _processor() -> str:
    with contextlib.suppress(OSError, StopIteration), open('/proc/cpuinfo') as file:
        return next(line.split(':')[1].strip() for line in file if line.startswith('model name'))
    return platform.machine()


def _memory() -> int:
    return round(os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30)


def _file_system(directory: str) -> str:
    best = ('', 'unknown file system')
    path = os.path.realpath(directory)
    with contextlib.suppress(OSError), open('/proc/self/mounts') as file:
        for line in file:
            _, place, kind, *_ = line.split()
            if (path == place or path.startswith(place.rstrip('/') + '/')) and len(place) >= len(best[0]):
                best = (place, kind)
    return best[1]


def _commit() -> str:
    here = os.path.dirname(os.path.abspath(__file__))

    def git(*arguments: str) -> str:
        done = subprocess.run(['git', '-C', here, *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ''

    commit = git('rev-parse', '--short=12', 'HEAD') or 'unknown'
    changed = git('status', '--porcelain', '--untracked-files=no', '--', '.', ':!docs', ':(top,exclude)docs')
    return f'{commit}, with changes' if changed else commit


def _digest(path: str) -> str:
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()[:12]
