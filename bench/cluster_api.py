"""A small client of a Kubernetes API server: what bare Pods are made and watched with, and how objects are looked at."""

import base64
import contextlib
import http.client
import json
import ssl
import tempfile
import urllib.parse


class Api:
    """One connection, kept open, to the server of a kubeconfig with a client certificate."""

    def __init__(self, kubeconfig: str):
        with open(kubeconfig) as file:
            config = json.load(file)
        cluster, user = config['clusters'][0]['cluster'], config['users'][0]['user']
        self._address = urllib.parse.urlsplit(cluster['server'])
        self._tls = ssl.create_default_context(cadata=_decode(cluster['certificate-authority-data']))
        with tempfile.NamedTemporaryFile('w') as pair:
            pair.write(_decode(user['client-certificate-data']) + _decode(user['client-key-data']))
            pair.flush()
            self._tls.load_cert_chain(pair.name)
        self._connection = self.connect()

    def connect(self, timeout: float = 60) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._address.hostname, self._address.port, context=self._tls,
                                           timeout=timeout)

    def call(self, method: str, path: str, body: dict | None = None, kind: str = 'application/json') -> dict:
        """One request; anything but 2xx ends the program."""
        return json.loads(self._send(method, path, json.dumps(body) if body is not None else None, kind))

    def text(self, path: str) -> str:
        """What is at a path, such as metrics."""
        return self._send('GET', path, None, 'text/plain').decode()

    def _send(self, method: str, path: str, text: str | None, kind: str) -> bytes:
        headers = {'Content-Type': kind, 'User-Agent': 'bare-client'}
        try:
            self._connection.request(method, path, text, headers)
            answer = self._connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError):
            # The server has closed the connection because nothing was asked for a while.
            self._connection = self.connect()
            self._connection.request(method, path, text, headers)
            answer = self._connection.getresponse()
        content = answer.read()
        if answer.status // 100 != 2:
            raise SystemExit(f'error: {method} {path}: {answer.status} {content[:500].decode(errors="replace")}')
        return content

    def watch(self, path: str, resource_version: str):
        """Events of a list, one after the other, for at most ten minutes."""
        connection = self.connect(timeout=600)
        query = f'?watch=1&resourceVersion={resource_version}&allowWatchBookmarks=true'
        connection.request('GET', path + query)
        answer = connection.getresponse()
        with contextlib.closing(connection):
            while line := answer.readline():
                yield json.loads(line)


def _decode(text: str) -> str:
    return base64.b64decode(text).decode()
