"""The record of one cluster: its processes, and what the machine was like before it. Written before each change is used."""

import dataclasses
import json
from pathlib import Path

from .run import ClusterError

BOOT_ID = Path('/proc/sys/kernel/random/boot_id')


@dataclasses.dataclass(frozen=True)
class Process:
    """A process, told apart from a later one with the same id by the time of its start."""

    pid: int
    start_time: int

    @staticmethod
    def of(pid: int) -> 'Process | None':
        """The process that has this id now, unless it has ended."""
        fields = _stat(pid)
        return None if fields is None or fields[0] in 'ZX' else Process(pid, int(fields[19]))

    def runs(self) -> bool:
        return Process.of(self.pid) == self


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/<pid>/stat that follow the name, which may hold anything."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return None


@dataclasses.dataclass
class Record:
    """What `down` undoes."""

    path: Path
    boot: str
    programs: str = ''
    processes: dict[str, Process] = dataclasses.field(default_factory=dict)
    sysctls: dict[str, str] = dataclasses.field(default_factory=dict)
    foreign_chains: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    @staticmethod
    def new(path: Path) -> 'Record':
        return Record(path, BOOT_ID.read_text().strip())

    @staticmethod
    def read(path: Path) -> 'Record | None':
        """The record there. After a reboot nothing of it runs any more, and the kernel is as it was."""
        try:
            found = json.loads(path.read_text())
            record = Record.new(path)
            if found['boot'] == record.boot:
                record.programs, record.sysctls = found['programs'], found['sysctls']
                record.foreign_chains = found['foreign_chains']
                record.processes = {name: Process(*process) for name, process in found['processes'].items()}
            return record
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ClusterError(f'cannot read {path}: {error!r}; remove it if no cluster runs') from None

    def write(self) -> None:
        content = {'boot': self.boot, 'programs': self.programs, 'sysctls': self.sysctls,
                   'foreign_chains': self.foreign_chains,
                   'processes': {name: [process.pid, process.start_time] for name, process in self.processes.items()}}
        unfinished = self.path.with_suffix('.new')
        unfinished.write_text(json.dumps(content, indent=1))
        unfinished.replace(self.path)
