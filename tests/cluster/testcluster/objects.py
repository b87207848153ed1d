"""What every cluster holds from the start: the API server's own address, rights of components, the S3 Service."""

from typing import Any

from . import settings
from .settings import NODE_ADDRESS

# As the API takes it.
Object = dict[str, Any]


def all_objects() -> list[Object]:
    """In an order in which they can be applied."""
    return [
        *_rights('kube-apiserver-kubelet-client', 'system:kubelet-api-admin'),
        {'apiVersion': 'rbac.authorization.k8s.io/v1', 'kind': 'ClusterRole', 'metadata': {'name': 'system:coredns'},
         'rules': [
             {'apiGroups': [''], 'resources': ['services', 'pods', 'namespaces'], 'verbs': ['list', 'watch']},
             {'apiGroups': ['discovery.k8s.io'], 'resources': ['endpointslices'], 'verbs': ['list', 'watch']}]},
        *_rights('system:coredns', 'system:coredns'),
        _endpoints('default', 'kubernetes', 'https', settings.API_PORT),
        {'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': 'kubeflow'}},
        {'apiVersion': 'v1', 'kind': 'Service', 'metadata': {'name': 'minio-service', 'namespace': 'kubeflow'},
         'spec': {'ports': [{'name': 'http', 'port': 9000, 'protocol': 'TCP', 'targetPort': settings.S3_PORT}]}},
        _endpoints('kubeflow', 'minio-service', 'http', settings.S3_PORT),
    ]


def _rights(user: str, role: str) -> list[Object]:
    group = 'rbac.authorization.k8s.io'
    return [{'apiVersion': f'{group}/v1', 'kind': 'ClusterRoleBinding', 'metadata': {'name': f'penstock-test:{user}'},
             'roleRef': {'apiGroup': group, 'kind': 'ClusterRole', 'name': role},
             'subjects': [{'apiGroup': group, 'kind': 'User', 'name': user}]}]


def _endpoints(namespace: str, service: str, port_name: str, port: int) -> Object:
    """Leads a Service to a port of the host."""
    return {'apiVersion': 'discovery.k8s.io/v1', 'kind': 'EndpointSlice',
            'metadata': {'name': f'{service}-host', 'namespace': namespace,
                         'labels': {'kubernetes.io/service-name': service,
                                    'endpointslice.kubernetes.io/managed-by': 'penstock-test'}},
            'addressType': 'IPv4', 'endpoints': [{'addresses': [NODE_ADDRESS], 'conditions': {'ready': True}}],
            'ports': [{'name': port_name, 'port': port, 'protocol': 'TCP'}]}
