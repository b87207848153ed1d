"""Runs calls of the SDK's executor: one (--once), or one fork for each that is asked for on standard input.

Messages are JSON behind a length of four bytes. Requests: {"run": id, "task": file}, {"go": pid}. Events:
{"ready": true}, {"started": id, "pid": pid}, {"failed": id, "reason": text}, {"ended": pid, "code": n} (negative: the
signal). A child waits for "go" before it does anything, so that it can be recorded first. The parent never runs a
task's code and reads nothing of a task; when its input ends, it ends.
"""
import json
import os
import select
import signal
import struct
import sys
import types

MARKER = b"PENSTOCK_ATTEMPT="
MAX_MESSAGE = 1 << 20


def preload(module):
    """Loads what every task needs, but not the executor's main module, which runs as __main__."""
    import importlib

    package = module.rpartition(".")[0]
    importlib.import_module(package)
    # What the main module itself imports. Importing sets nothing up.
    for name in ("argparse", "json", "logging", "textwrap", "traceback"):
        importlib.import_module(name)
    for name in ("executor", "kfp_config", "utils"):
        try:
            importlib.import_module(f"{package}.{name}")
        except ImportError:
            pass


def read_exactly(fd, count):
    data = b""
    while len(data) < count:
        chunk = os.read(fd, count - len(data))
        if not chunk:
            return None
        data += chunk
    return data


def receive(fd):
    head = read_exactly(fd, 4)
    if head is None:
        return None
    (length,) = struct.unpack(">I", head)
    if length > MAX_MESSAGE:
        return None
    body = read_exactly(fd, length)
    return None if body is None else json.loads(body)


def send(fd, event):
    data = json.dumps(event).encode()
    data = struct.pack(">I", len(data)) + data
    while data:
        data = data[os.write(fd, data):]


def close_inherited():
    """Closes what whoever started Penstock left open, so that no task gets it."""
    try:
        fds = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        fds = range(3, 256)
    for fd in fds:
        if fd > 2:
            try:
                os.close(fd)
            except OSError:
                pass


class Server:
    def __init__(self):
        self.input = os.dup(0)
        self.output = os.dup(1)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(2, 1)
        self.gates = {}
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_write, False)
        os.set_blocking(self.wake_read, False)
        signal.set_wakeup_fd(self.wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self):
        """Returns the file of a task in a child, and None in the parent at the end."""
        send(self.output, {"ready": True})
        while True:
            readable, _, _ = select.select([self.input, self.wake_read], [], [])
            if self.wake_read in readable:
                try:
                    os.read(self.wake_read, 4096)
                except BlockingIOError:
                    pass
                self.reap()
            if self.input in readable:
                request = receive(self.input)
                if request is None:
                    return None
                if "run" in request:
                    task = self.fork(request["run"], request["task"])
                    if task is not None:
                        return task
                elif "go" in request:
                    gate = self.gates.pop(request["go"], None)
                    if gate is not None:
                        try:
                            os.write(gate, b"g")
                        except OSError:
                            pass
                        os.close(gate)

    def fork(self, request, task):
        read, write = os.pipe()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(read)
            os.close(write)
            send(self.output, {"failed": request, "reason": str(error)})
            return None
        if pid:
            os.close(read)
            self.gates[pid] = write
            send(self.output, {"started": request, "pid": pid})
            return None
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for fd in (write, self.input, self.output, self.wake_read, self.wake_write, *self.gates.values()):
            os.close(fd)
        go = os.read(read, 1)
        os.close(read)
        if not go:
            os._exit(125)
        return task

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            gate = self.gates.pop(pid, None)
            if gate is not None:
                os.close(gate)
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
            send(self.output, {"ended": pid, "code": code})


def mark(marker):
    """Writes the marker into the environment that /proc shows, which setting variables does not change."""
    try:
        with open("/proc/self/environ", "rb") as file:
            shown = file.read()
        with open("/proc/self/stat", "rb") as file:
            start = int(file.read().rpartition(b")")[2].split()[47])
        at = 0 if shown.startswith(MARKER) else shown.find(b"\0" + MARKER) + 1
        if not shown[at:].startswith(MARKER):
            return
        at += len(MARKER)
        room = shown.index(b"\0", at) - at
        value = marker.encode()
        if len(value) > room:
            return
        with open("/proc/self/mem", "r+b", buffering=0) as memory:
            memory.seek(start + at)
            memory.write(value.ljust(room, b"\0"))
    except (OSError, ValueError, IndexError):
        # The process is still known by its number, group and session.
        return


def enter(task):
    """Turns a fork into the task's process."""
    mark(task["marker"])
    log = os.open(task["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.environ.clear()
    for name, value in task["env"]:
        os.environ[name] = value
    if "TZ" in os.environ:
        import time

        time.tzset()
    import tempfile

    tempfile.tempdir = None
    os.chdir(task["cwd"])


def execute(task):
    """Does what `python3 -m <module> <argv>` does."""
    import runpy

    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)
    # Where -m would have put the working directory.
    sys.path[0] = os.getcwd()
    sys.argv = ["-m", *task["argv"]]
    sys.modules["__main__"] = types.ModuleType("__main__")
    sys.modules["__main__"].__builtins__ = __builtins__
    runpy._run_module_as_main(task["module"])


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main():
    mode, runtime, argument = sys.argv[1:4]
    if runtime == "runtime":
        os.environ["_KFP_RUNTIME"] = "true"
    if mode == "--once":
        execute(load(argument))
        return
    close_inherited()
    # This file is no module of the tasks.
    own = sys.path.pop(0)
    preload(argument)
    sys.path.insert(0, own)
    import gc
    import runpy  # noqa: F401
    import tempfile  # noqa: F401
    import threading

    if threading.active_count() != 1:
        raise SystemExit("loading the SDK started threads, which a fork would lose")
    gc.freeze()
    path = Server().serve()
    if path is None:
        # Children go on; nothing of theirs is in here.
        sys.stderr.flush()
        os._exit(0)
    task = load(path)
    if runtime == "runtime":
        task["env"].append(("_KFP_RUNTIME", "true"))
    enter(task)
    execute(task)


if __name__ == "__main__":
    main()
