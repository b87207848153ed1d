"""Starts the processes of a cluster and ends them: the recorded ones, and any that a crash left without a record."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from .record import Process, Record
from .run import ClusterError, say, tail
from .settings import StateDirectory, cache_directory

SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'


def start(state: StateDirectory, record: Record, name: str, command: list[str], programs: Path) -> None:
    """Starts a process that outlives this one, and records it."""
    environment = {'PATH': f'{programs}:{SEARCH_PATH}', 'HOME': str(state.root), 'LANG': 'C.UTF-8'}
    with state.log(name).open('ab') as log:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=state.root,
                                 env=environment, start_new_session=True)
    process = Process.of(child.pid)
    if process is None:
        raise ClusterError(f'{name} ended at once\n{tail(state.log(name))}')
    record.processes[name] = process
    record.write()


def must_run(state: StateDirectory, record: Record, name: str) -> None:
    """Fails when a process that should run has ended."""
    process = record.processes.get(name)
    if process is None or not process.runs():
        raise ClusterError(f'{name} ended\n{tail(state.log(name))}')


def stop(name: str, process: Process, patience: float) -> None:
    """Asks a process to end, then ends it, and waits until it is gone."""
    for number, limit in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
        if not process.runs() or not _signal(process, number):
            return
        deadline = time.monotonic() + limit
        while process.runs() and time.monotonic() < deadline:
            time.sleep(0.02)
    if process.runs():
        raise ClusterError(f'{name} (process {process.pid}) does not end, even killed: it hangs in the kernel')


def _signal(process: Process, number: int) -> bool:
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        # Looked at again through the descriptor: the id may have a new owner since.
        if not process.runs():
            return False
        signal.pidfd_send_signal(descriptor, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)


def unrecorded(state: StateDirectory) -> Iterable[tuple[str, Process]]:
    """Processes whose program is one of the cache's and whose arguments name this state directory: shims of
    containers, and what was started in the moment before a crash."""
    home = str(cache_directory()) + '/'
    for entry in Path('/proc').iterdir():
        if not entry.name.isdigit():
            continue
        try:
            program = os.readlink(entry / 'exe')
            arguments = (entry / 'cmdline').read_bytes().decode(errors='replace')
        except OSError:
            continue
        if program.startswith(home) and f'{state.root}/' in arguments:
            process = Process.of(int(entry.name))
            if process is not None:
                yield Path(program).name, process


def stop_unrecorded(state: StateDirectory) -> None:
    """Ends them."""
    for name, process in list(unrecorded(state)):
        if not name.startswith('containerd-shim'):
            say(f'ending {name} (process {process.pid}), which a crash left behind')
        stop(name, process, patience=0.5)
