"""Resident memory of Penstock's processes, as the kernel of the node counts it: the node is this machine."""

import contextlib
import dataclasses
import os
import threading
import time


@dataclasses.dataclass
class Resident:
    """MiB of one process: all that is resident, its own part of that (no pages of files), and the most of both."""

    now: float = 0.0
    own: float = 0.0
    most: float = 0.0
    most_own: float = 0.0

    def look(self, pid: int) -> bool:
        """Reads on; false when the process is no longer there."""
        try:
            with open(f'/proc/{pid}/status') as file:
                lines = dict(line.split(':', 1) for line in file)
        except OSError:
            return False
        if 'VmRSS' not in lines:
            return False
        self.now, self.own = (_mebibytes(lines[name]) for name in ('VmRSS', 'RssAnon'))
        self.most, self.most_own = _mebibytes(lines['VmHWM']), max(self.most_own, self.own)
        return True


def processes(program: str, argument: str = '') -> dict[int, str]:
    """Processes of a program, with the host name that each sees: in a container, the name of its Pod."""
    found = {}
    for entry in os.scandir('/proc'):
        # A process may end at any moment.
        with contextlib.suppress(OSError, ValueError):
            pid = int(entry.name)
            with open(f'/proc/{pid}/cmdline', 'rb') as file:
                words = file.read().decode(errors='replace').split('\0')
            if os.path.basename(words[0]) == program and (not argument or argument in words):
                with open(f'/proc/{pid}/root/etc/hostname') as file:
                    found[pid] = file.read().strip()
    return found


class Launchers(threading.Thread):
    """Looks at all launchers again and again until it is told to end; what it saw is kept for each Pod."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.pods: dict[str, Resident] = {}
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        known: dict[int, Resident] = {}
        while not self._over.is_set():
            for pid, pod in processes('penstock-launcher').items():
                known.setdefault(pid, self.pods.setdefault(pod, Resident()))
            for _ in range(10):
                known = {pid: resident for pid, resident in known.items() if resident.look(pid)}
                time.sleep(0.02)

    def end(self) -> dict[str, Resident]:
        self._over.set()
        self.join(timeout=10)
        return self.pods


def _mebibytes(text: str) -> float:
    return int(text.split()[0]) / 1024
