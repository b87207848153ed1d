"""Running other programs, waiting with a deadline, and saying what happens."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

Value = TypeVar('Value')
TAIL_LINES = 20
STARTED = time.monotonic()


class ClusterError(Exception):
    """What was attempted, on what, why it failed, and what to do."""


def say(text: str) -> None:
    """One line of progress, with the seconds since the command began."""
    print(f'[{time.monotonic() - STARTED:6.1f} s] {text}', file=sys.stderr, flush=True)


def tail(log: Path) -> str:
    """The end of a log, and where it is."""
    try:
        with log.open('rb') as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 64 * 1024))
            lines = file.read().decode(errors='replace').splitlines()
    except OSError as error:
        return f'(no log: {error})'
    return '\n'.join([*('    ' + line for line in lines[-TAIL_LINES:]), f'log: {log}'])


def run(command: Sequence[object], *, limit: float = 60, stdin: str | None = None, check: bool = True) -> str:
    """Runs a short command and returns what it wrote on standard output."""
    words = [str(word) for word in command]
    try:
        result = subprocess.run(words, input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                                capture_output=True, text=True, timeout=limit)
    except FileNotFoundError:
        raise ClusterError(f'cannot run {words[0]}: it is not installed') from None
    except subprocess.TimeoutExpired:
        raise ClusterError(f'`{" ".join(words)}` did not end within {limit:.0f} s') from None
    if check and result.returncode != 0:
        said = (result.stderr or result.stdout).strip().splitlines()[-TAIL_LINES:]
        raise ClusterError(f'`{" ".join(words)}` failed ({result.returncode}):\n' + '\n'.join(said))
    return result.stdout


def run_logged(label: str, command: Sequence[object], log: Path, *, limit: float, cwd: Path | None = None,
               env: dict[str, str] | None = None) -> None:
    """Runs a long command with its output in a file; says from time to time that it still runs."""
    begun = time.monotonic()
    say(label)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open('wb') as output:
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, cwd=cwd, env=env)
        try:
            while (seconds := time.monotonic() - begun) < limit:
                try:
                    code = process.wait(timeout=min(30, limit - seconds))
                    break
                except subprocess.TimeoutExpired:
                    say(f'{label}: {time.monotonic() - begun:.0f} s so far')
            else:
                raise ClusterError(f'{label}: not done within {limit:.0f} s\n{tail(log)}')
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if code != 0:
        raise ClusterError(f'{label}: failed ({code})\n{tail(log)}')
    if time.monotonic() - begun > 10:
        say(f'{label}: done in {time.monotonic() - begun:.0f} s')


def wait_until(what: str, probe: Callable[[], Value | None], *, limit: float, pause: float = 0.05,
               explain: Callable[[], str] = lambda: '') -> Value:
    """The first result of `probe` that is neither None nor False. A `ClusterError` of the probe ends the wait."""
    deadline = time.monotonic() + limit
    while True:
        result = probe()
        if result is not None and result is not False:
            return result
        if time.monotonic() > deadline:
            raise ClusterError(f'{what}: not within {limit:.0f} s\n{explain()}'.rstrip())
        time.sleep(pause)
