"""Bare Pods: the user containers that Penstock runs, created by a client that only watches phases."""

import time

import cluster_api


class BarePods:
    """Creates Pods in a namespace and waits for their phases."""

    def __init__(self, api: cluster_api.Api, namespace: str, container: dict):
        self.api, self.namespace, self.container = api, namespace, container
        self.path = f'/api/v1/namespaces/{namespace}/pods'

    def pod(self, name: str) -> dict:
        return {
            'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': name},
            'spec': {'restartPolicy': 'Never', 'automountServiceAccountToken': False,
                     'containers': [{'name': 'main', **self.container}]},
        }

    def is_over(self, pod: dict) -> bool:
        """Whether a Pod has succeeded; one that failed ends the program."""
        phase = pod.get('status', {}).get('phase')
        if phase == 'Failed':
            raise SystemExit(f'error: the bare Pod {pod["metadata"]["name"]} failed: {pod["status"]}')
        return phase == 'Succeeded'

    def chain(self, prefix: str, length: int) -> float:
        """Each Pod is created when the phase of the one before is seen. From the first request to the last phase."""
        began = time.perf_counter()
        events = self._watch()
        for number in range(length):
            name = f'{prefix}-{number}'
            self.api.call('POST', self.path, self.pod(name))
            self._wait_for(events, {name})
        return time.perf_counter() - began

    def fan_out(self, prefix: str, width: int) -> float:
        """All Pods at once. From the first request to the last phase."""
        began = time.perf_counter()
        events = self._watch()
        names = {f'{prefix}-{number}' for number in range(width)}
        for name in names:
            self.api.call('POST', self.path, self.pod(name))
        self._wait_for(events, names)
        return time.perf_counter() - began

    def remove_all(self) -> None:
        """Deletes all Pods of the namespace, and waits until they are gone."""
        self.api.call('DELETE', self.path + '?gracePeriodSeconds=0')
        deadline = time.monotonic() + 120
        while self.api.call('GET', self.path)['items']:
            if time.monotonic() > deadline:
                raise SystemExit(f'error: Pods of {self.namespace} do not go away')
            time.sleep(0.1)

    def _watch(self):
        version = self.api.call('GET', self.path)['metadata']['resourceVersion']
        return self.api.watch(self.path, version)

    def _wait_for(self, events, names: set[str]) -> None:
        waiting = set(names)
        for event in events:
            pod = event['object']
            if self.is_over(pod):
                waiting.discard(pod['metadata']['name'])
            if not waiting:
                return
        raise SystemExit('error: the watch ended before the Pods did')


class PodsWithSidecar(BarePods):
    """The same with what any sidecar costs: one that does nothing, a volume that both share, and the profile that
    *restricted* namespaces ask for. They are over when their main container is, as the sidecar ends after it."""

    SECURITY = {'allowPrivilegeEscalation': False, 'capabilities': {'drop': ['ALL']},
                'seccompProfile': {'type': 'RuntimeDefault'}}

    def pod(self, name: str) -> dict:
        pod = super().pod(name)
        mount = {'volumeMounts': [{'name': 'shared', 'mountPath': '/shared'}], 'securityContext': self.SECURITY}
        idle = {'name': 'idle', 'restartPolicy': 'Always', **self.container, **mount,
                'command': ['sh', '-c', 'trap "exit 0" TERM; sleep 3600 & wait']}
        pod['spec']['volumes'] = [{'name': 'shared', 'emptyDir': {}}]
        pod['spec']['initContainers'] = [idle]
        pod['spec']['containers'][0].update(mount)
        return pod

    def is_over(self, pod: dict) -> bool:
        states = [status['state'] for status in pod.get('status', {}).get('containerStatuses', [])]
        return super().is_over(pod) or any(state.get('terminated', {}).get('exitCode') == 0 for state in states)
