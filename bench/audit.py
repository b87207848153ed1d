"""What the API server's audit log says about the Pods of one namespace, by the server's own clock."""

import dataclasses
import datetime
import json
import os
import time

TASK_ACCOUNT = 'penstock-task'


@dataclasses.dataclass
class Request:
    """One request that changes something, answered well."""

    verb: str
    pod: str
    subresource: str
    user: str
    agent: str
    received: float
    answered: float

    def is_report(self) -> bool:
        return self.verb == 'patch' and self.user.endswith(f':{TASK_ACCOUNT}')

    def is_of_the_cluster(self) -> bool:
        """By the scheduler, the kubelet, a controller."""
        return self.user.startswith('system:') and not self.user.startswith('system:serviceaccount:pst')\
            and not self.user.startswith('system:serviceaccount:penstock') and not self.is_report()


class AuditLog:
    """Reads on from where it was opened."""

    def __init__(self, path: str):
        self.path, self.offset = path, os.path.getsize(path)

    def requests(self, namespace: str) -> list[Request]:
        """The writes since the last call. The log is written behind the answers."""
        time.sleep(1.0)
        found = []
        with open(self.path, 'rb') as file:
            file.seek(self.offset)
            for line in file:
                self.offset += len(line)
                event = json.loads(line)
                target = event.get('objectRef', {})
                if (event['stage'] != 'ResponseComplete' or target.get('namespace') != namespace
                        or target.get('resource') != 'pods'
                        or event['verb'] not in ('create', 'update', 'patch', 'delete')
                        or 'dryRun' in event['requestURI'] or event['responseStatus'].get('code', 0) // 100 != 2):
                    continue
                found.append(Request(
                    event['verb'], target.get('name', ''), target.get('subresource', ''), event['user']['username'],
                    event.get('userAgent', ''), _seconds(event['requestReceivedTimestamp']),
                    _seconds(event['stageTimestamp'])))
        return sorted(found, key=lambda request: request.received)


def hops(requests: list[Request]) -> list[float]:
    """Chain: from each report stored to the next create received."""
    reports = [request for request in requests if request.is_report()]
    creates = [request for request in requests if request.verb == 'create' and not request.subresource]
    found = []
    for report in reports:
        later = [create.received for create in creates if create.received >= report.received]
        if later:
            found.append(min(later) - report.answered)
    return found


def span(requests: list[Request]) -> float:
    """From the first create received to the last report stored."""
    creates = [request.received for request in requests if request.verb == 'create' and not request.subresource]
    reports = [request.answered for request in requests if request.is_report()]
    return max(reports) - min(creates)


def _seconds(text: str) -> float:
    return datetime.datetime.fromisoformat(text.replace('Z', '+00:00')).timestamp()
