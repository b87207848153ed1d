"""Runs pipelines with each side, and takes the time, the processor time and the memory."""

import ctypes
import dataclasses
import datetime
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

TIME_LIMIT = 1800
PR_SET_CHILD_SUBREAPER = 36

KFP_LOCAL_CHAIN = '''
import resource, sys, time
sys.path.insert(0, {here!r})
import pipelines
from kfp import local
local.init(local.SubprocessRunner(use_venv=False), pipeline_root={root!r}, raise_on_error=True)

def cpu():
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)

cpu_before, started = cpu(), time.perf_counter()
task = pipelines.chain()
took, used = time.perf_counter() - started, cpu() - cpu_before
assert task.output == pipelines.CHAIN_LENGTH, task.output
print("TOOK", took, used)
'''


@dataclasses.dataclass
class Run:
    """What one run took."""

    seconds: float
    cpu: float
    megabytes: float = 0.0
    began: float = 0.0
    document: dict = dataclasses.field(default_factory=dict)

    def _containers(self) -> list[dict]:
        return [task for task in self.document['tasks'] if task['kind'] == 'CONTAINER']

    def later_tasks(self) -> float:
        """From the end of the first task to the end of the last, per task."""
        ends = sorted(_seconds(task['finished_at']) for task in self._containers())
        return (ends[-1] - ends[0]) / (len(ends) - 1)

    def until_first(self) -> float:
        """From the start of the process to the start of the first task."""
        return min(_seconds(task['started_at']) for task in self._containers()) - self.began


def _seconds(text: str) -> float:
    # Python reads six digits of a second, and the document may have nine.
    return datetime.datetime.fromisoformat(text[:26].rstrip('Z') + '+00:00').timestamp()


def adopt_orphans() -> None:
    """Makes this process the parent of what its children leave, so that their processor time can be asked for."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        sys.exit('error: this system does not let a process adopt orphans')


def wait_for_orphans() -> float:
    """Waits for what a child left, which is about to end, and returns its processor time."""
    used, deadline = 0.0, time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return used
        if pid == 0:
            time.sleep(0.001)
        used += usage.ru_utime + usage.ru_stime
    sys.exit('error: a run left processes that do not end')


class Peak(threading.Thread):
    """The largest resident size of a process, as the kernel keeps it for the program that runs (VmHWM), in MiB.

    What wait4 tells would be larger: there the kernel counts the process before it became this program, a copy of us.
    """

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self.pid, self.megabytes = pid, 0.0
        self.start()

    def run(self) -> None:
        while True:
            try:
                with open(f'/proc/{self.pid}/status') as file:
                    lines = [line for line in file if line.startswith('VmHWM')]
            except OSError:
                return
            if not lines:
                return  # It has ended.
            self.megabytes = int(lines[0].split()[1]) / 1024
            time.sleep(0.01)


class Penstock:
    """The binary, with everything of it in one directory."""

    def __init__(self, binary: str, directory: str):
        self.binary, self.directory = os.path.abspath(binary), directory
        adopt_orphans()

    def run(self, pipeline: str, *arguments: str, data: str) -> Run:
        """One run, from the start of the process to its end; it must succeed."""
        command = [self.binary, 'run', pipeline, '-o', 'json', '--data-dir', os.path.join(self.directory, data),
                   '--python', sys.executable, *arguments]
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            began, started = time.time(), time.perf_counter()
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)
            peak = Peak(process.pid)
            signal.alarm(TIME_LIMIT)
            _, status, usage = os.wait4(process.pid, 0)
            took = time.perf_counter() - started
            signal.alarm(0)
            # A warm interpreter may end a moment later than its parent; its tasks are its children.
            orphans = wait_for_orphans()
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            errors.seek(0)
            text, said = output.read(), errors.read().decode(errors='replace')
        document = json.loads(text) if text.strip() else {'state': 'no document', 'error': None}
        if process.returncode != 0 or document['state'] != 'SUCCEEDED':
            sys.exit(f'error: {pipeline} ended as {document["state"]} with code {process.returncode}:'
                     f' {document["error"]}\n{said[-2000:]}')
        return Run(took, usage.ru_utime + usage.ru_stime + orphans, peak.megabytes, began, document)

    def write(self, name: str, document: dict) -> str:
        path = os.path.join(self.directory, name)
        with open(path, 'w') as file:
            json.dump(document, file)
        return path


class KfpLocal:
    """kfp.local with SubprocessRunner(use_venv=False), in a process of its own as a user has it."""

    def __init__(self, directory: str):
        self.directory = directory

    def chain(self, number: int) -> Run:
        """The chain, from the call of the pipeline to its return: import and compilation are not counted."""
        here = os.path.dirname(os.path.abspath(__file__))
        code = KFP_LOCAL_CHAIN.format(here=here, root=os.path.join(self.directory, f'kfp-{number}'))
        # Its tasks start `python3` of PATH.
        path = os.path.dirname(sys.executable) + os.pathsep + os.environ['PATH']
        done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=self.directory,
                              env={**os.environ, 'PATH': path}, timeout=TIME_LIMIT, check=False)
        for line in done.stdout.splitlines():
            if line.startswith('TOOK '):
                _, took, cpu = line.split()
                return Run(float(took), float(cpu))
        sys.exit(f'error: kfp.local failed: {done.stdout[-1000:]}\n{done.stderr[-2000:]}')


def bare_start(command: list[str], times: int) -> float:
    """Starting a program and waiting for its end, and nothing else."""
    started = time.perf_counter()
    for _ in range(times):
        os.waitpid(os.posix_spawnp(command[0], command, os.environ), 0)
    return (time.perf_counter() - started) / times


def step_cost(program: str, rounds: int) -> list[dict]:
    """The engine alone: rows of the example `step_cost`."""
    done = subprocess.run([os.path.abspath(program), str(rounds), '--json'], capture_output=True, text=True,
                          timeout=TIME_LIMIT, check=False)
    if done.returncode != 0:
        sys.exit(f'error: {program} failed: {done.stderr[-2000:]}')
    return [json.loads(line) for line in done.stdout.splitlines()]
