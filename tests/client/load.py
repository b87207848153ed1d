"""Clients that open a connection for each request and try nothing again, until a file says that it is enough. Prints what became
of their requests."""

import http.client
import itertools
import json
import os
import pathlib
import threading
import time
import urllib.parse
import uuid

API = urllib.parse.urlsplit(os.environ["PENSTOCK_TEST_API"])
STARTED, STOP = pathlib.Path(os.environ["PENSTOCK_TEST_STARTED"]), pathlib.Path(os.environ["PENSTOCK_TEST_STOP"])
CLIENTS = 4
PAUSE = 0.02
LIMIT = 30


def ask(method, path, body=None):
    """The document of an answer that must be 200."""
    connection = http.client.HTTPConnection(API.hostname, API.port, timeout=LIMIT)
    try:
        headers = {"Content-Type": "application/json", "Connection": "close"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise OSError(f"{answer.status} {content[:300]!r}")
        return json.loads(content)
    finally:
        connection.close()


class Client(threading.Thread):
    """Reads, and every fifth time makes an experiment."""

    def __init__(self):
        super().__init__()
        self.reads, self.made, self.failures = 0, [], []

    def run(self):
        for number in itertools.count():
            if STOP.exists():
                return
            try:
                if number % 5:
                    ask("GET", "/apis/v2beta1/experiments?page_size=1")
                    self.reads += 1
                else:
                    name = str(uuid.uuid4())
                    self.made.append(ask("POST", "/apis/v2beta1/experiments", {"display_name": name})["experiment_id"])
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{time.strftime('%X')} {type(error).__name__}: {error}")
            time.sleep(PAUSE)


def is_there(experiment):
    try:
        return ask("GET", f"/apis/v2beta1/experiments/{experiment}")["experiment_id"] == experiment
    except OSError:
        return False


def main():
    clients = [Client() for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(1)
    STARTED.touch()
    for client in clients:
        client.join()
    made = [one for client in clients for one in client.made]
    lost = [one for one in made if not is_there(one)]
    failures = [failure for client in clients for failure in client.failures]
    print(json.dumps({"reads": sum(client.reads for client in clients), "writes": len(made), "failures": failures, "lost": lost}))


main()
