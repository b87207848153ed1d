"""What the Pods of a run are as objects: their bytes, their containers, and how many there were."""

import dataclasses
import json
import threading

import cluster_api


@dataclasses.dataclass
class Shape:
    """One Pod, as it was last seen."""

    pod: dict
    bytes: int = 0

    def containers(self) -> int:
        """Containers that were started, the user's included; the sandbox is none of them."""
        status = self.pod.get('status', {})
        seen = status.get('initContainerStatuses', []) + status.get('containerStatuses', [])
        return sum(1 for container in seen if container.get('containerID'))


class Observer(threading.Thread):
    """Watches the Pods of a namespace until it is told to end; each is kept at its largest and as last seen."""

    def __init__(self, api: cluster_api.Api, namespace: str):
        super().__init__(daemon=True)
        self._path = f'/api/v1/namespaces/{namespace}/pods'
        self._events = api.watch(self._path, api.call('GET', self._path)['metadata']['resourceVersion'])
        self._seen: dict[str, Shape] = {}
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        for event in self._events:
            if self._over.is_set():
                return
            if event['type'] not in ('ADDED', 'MODIFIED'):
                continue
            pod = event['object']
            shape = self._seen.setdefault(pod['metadata']['name'], Shape(pod))
            shape.pod = pod
            # As the API server stores it for whoever asks, but for managedFields, which clients seldom ask for.
            pod['metadata'].pop('managedFields', None)
            shape.bytes = max(shape.bytes, len(json.dumps(pod, separators=(',', ':'))))

    def shapes(self) -> list[Shape]:
        """Ends the watch."""
        self._over.set()
        return list(self._seen.values())
