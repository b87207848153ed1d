"""Things that are made once, in a directory of the cache, however many ask for them at the same time."""

import contextlib
import fcntl
import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from .run import ClusterError, say


@contextlib.contextmanager
def locked(path: Path, what: str, limit: float) -> Iterator[None]:
    """Holds an exclusive lock on a file, and says so when it has to wait for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('a') as file:
        deadline, told = time.monotonic() + limit, False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    say(f'waiting for another process that {what}')
                    told = True
                if time.monotonic() > deadline:
                    raise ClusterError(f'another process that {what} still holds {path} after {limit:.0f} s') from None
                time.sleep(0.1)
        yield


def once(directory: Path, make: Callable[[Path], None]) -> Path:
    """Makes a directory unless it is complete already. One process makes it, the others wait."""
    if not (directory / '.complete').exists():
        with locked(directory.with_name(directory.name + '.lock'), f'makes {directory}', limit=7200):
            if not (directory / '.complete').exists():
                shutil.rmtree(directory, ignore_errors=True)
                directory.mkdir(parents=True)
                make(directory)
                (directory / '.complete').touch()
    return directory


def key_of(words: Iterable[str], files: Iterable[Path] = ()) -> str:
    """A short name for everything that a result depends on."""
    digest = hashlib.sha256()
    for word in words:
        digest.update(word.encode() + b'\0')
    for file in sorted(files):
        digest.update(file.name.encode() + b'\0' + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]
