"""`penstock up`, and requests to it on one connection that stays open."""

import contextlib
import http.client
import json
import os
import re
import selectors
import subprocess
import sys
import time
import urllib.parse

START_LIMIT = 60
REQUEST_LIMIT = 120
# The server closes connections that are idle for longer than this, and somewhat more.
IDLE_LIMIT = 10


class Api:
    """Requests, one after the other."""

    def __init__(self, address: str):
        self.address = address
        self.connection = http.client.HTTPConnection(address, timeout=REQUEST_LIMIT)
        self.used_at = time.monotonic()

    def call(self, method: str, path: str, body: dict | None = None, **query) -> dict:
        return self.timed(method, path, body, **query)[0]

    def timed(self, method: str, path: str, body: dict | None = None, **query) -> tuple[dict, float]:
        """The reply, and the seconds from sending the request to having read the reply; decoding it is not counted."""
        given = {name: str(value) for name, value in query.items() if value not in (None, '')}
        url = f'{path}?{urllib.parse.urlencode(given)}' if given else path
        data = None if body is None else json.dumps(body)
        if time.monotonic() - self.used_at > IDLE_LIMIT:
            self.connection.close()
            self.connection.connect()
        started = time.perf_counter()
        self.connection.request(method, url, data, {'Content-Type': 'application/json'} if data else {})
        reply = self.connection.getresponse()
        text = reply.read()
        took = time.perf_counter() - started
        self.used_at = time.monotonic()
        if reply.status != 200:
            sys.exit(f'error: {method} {url} answered {reply.status}: {text[:500].decode(errors="replace")}')
        return json.loads(text), took

    def submit(self, name: str, pipeline: dict, experiment: str = '') -> tuple[dict, float]:
        body = {'display_name': name, 'pipeline_spec': pipeline}
        if experiment:
            body['experiment_id'] = experiment
        return self.timed('POST', '/apis/v2beta1/runs', body)

    def wait(self, run: str, limit: float = 600) -> dict:
        """The run, once it has ended well."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            document = self.call('GET', f'/apis/v2beta1/runs/{run}')
            if document.get('state') == 'SUCCEEDED':
                return document
            if document.get('state') in ('FAILED', 'CANCELED'):
                sys.exit(f'error: run {run} ended as {document["state"]}: {document.get("error")}')
            time.sleep(0.05)
        sys.exit(f'error: run {run} did not end within {limit} s')


class Server:
    """The process, over a data directory and perhaps a database elsewhere; ends with the block that it is used in."""

    def __init__(self, binary: str, directory: str, database: str = ''):
        environment = {**os.environ, 'PENSTOCK_DATA_DIR': directory}
        if database:
            environment['PENSTOCK_DATABASE_URL'] = database
        self.errors = open(os.path.join(os.path.dirname(directory), f'{os.path.basename(directory)}.log'), 'ab')
        command = [os.path.abspath(binary), 'up', '--listen', '127.0.0.1:0', '--host-commands']
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors,
                                        env=environment)
        self.address = self._address()
        self.api = Api(self.address)

    def __enter__(self) -> 'Server':
        return self

    def __exit__(self, error, *_) -> None:
        if error:
            self.process.kill()
        else:
            self.stop()

    def _address(self) -> str:
        """It says where it is reached once it is."""
        said, deadline = b'', time.monotonic() + START_LIMIT
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while time.monotonic() < deadline and selector.select(deadline - time.monotonic()):
                chunk = os.read(self.process.stdout.fileno(), 4096)
                said += chunk
                if found := re.search(rb'http://([0-9.]+:[0-9]+)', said):
                    return found[1].decode()
                if not chunk:
                    break
        self.process.kill()
        sys.exit(f'error: penstock up did not start; see {self.errors.name}: {said.decode(errors="replace")}')

    def stop(self) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(30)
            return
        self.process.kill()
        sys.exit('error: penstock up did not end within 30 s of SIGTERM')
