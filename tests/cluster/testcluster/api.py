"""A few requests to the API server, as the administrator."""

import json
import ssl
import urllib.error
import urllib.request

from .objects import Object
from .run import ClusterError
from .settings import API_URL, StateDirectory

PATHS = {
    'Namespace': '/api/v1/namespaces', 'Service': '/api/v1/namespaces/{}/services',
    'EndpointSlice': '/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices',
    'ClusterRole': '/apis/rbac.authorization.k8s.io/v1/clusterroles',
    'ClusterRoleBinding': '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
}
TIMEOUT = 10


class Api:
    """The API server of one cluster."""

    def __init__(self, state: StateDirectory) -> None:
        self._tls = ssl.create_default_context(cafile=str(state.certificate('ca')))
        self._tls.load_cert_chain(state.certificate('admin'), state.key('admin'))

    def get(self, path: str) -> str | None:
        """The body of a successful answer, otherwise None."""
        try:
            with urllib.request.urlopen(API_URL + path, timeout=TIMEOUT, context=self._tls) as answer:
                body: bytes = answer.read()
                return body.decode()
        except OSError:
            return None

    def apply(self, thing: Object) -> None:
        """Creates an object or makes it what it should be."""
        kind, metadata = str(thing['kind']), thing['metadata']
        name, path = metadata['name'], PATHS[kind].format(metadata.get('namespace', ''))
        request = urllib.request.Request(
            f'{API_URL}{path}/{name}?fieldManager=penstock-test&force=true', json.dumps(thing).encode(),
            {'Content-Type': 'application/apply-patch+yaml'}, method='PATCH')
        try:
            urllib.request.urlopen(request, timeout=TIMEOUT, context=self._tls).close()
        except urllib.error.HTTPError as error:
            raise ClusterError(f'cannot apply {kind} {name}: {error.code} {error.read().decode(errors="replace")}') from None
        except OSError as error:
            raise ClusterError(f'cannot apply {kind} {name} at {API_URL}: {error}') from None

    def node_is_ready(self, name: str) -> bool:
        body = self.get(f'/api/v1/nodes/{name}')
        if body is None:
            return False
        conditions = json.loads(body).get('status', {}).get('conditions', [])
        return any(condition['type'] == 'Ready' and condition['status'] == 'True' for condition in conditions)
