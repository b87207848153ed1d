"""What each program of the cluster is started with: its configuration file and its command line. Writes files only."""

import dataclasses
import json
from pathlib import Path

from . import settings
from .settings import NODE_ADDRESS, NODE_NAME, StateDirectory

# For load tests: by default the components ask no more than 20 to 50 times a second.
QPS, BURST = 500, 1000
MAX_PODS = 400


@dataclasses.dataclass(frozen=True)
class Components:
    """Command lines of one cluster; a file that a command reads is written when the command is asked for."""

    state: StateDirectory
    programs: Path

    def etcd(self) -> list[str]:
        url, peer = f'http://127.0.0.1:{settings.ETCD_PORT}', f'http://127.0.0.1:{settings.ETCD_PEER_PORT}'
        return self._program('etcd', {
            'name': NODE_NAME, 'data-dir': self.state.root / 'etcd', 'listen-client-urls': url,
            'advertise-client-urls': url, 'listen-peer-urls': peer, 'initial-advertise-peer-urls': peer,
            'initial-cluster': f'{NODE_NAME}={peer}', 'unsafe-no-fsync': 'true', 'log-level': 'warn'})

    def api_server(self) -> list[str]:
        pki = self.state.pki
        return self._program('kube-apiserver', {
            'bind-address': NODE_ADDRESS, 'advertise-address': NODE_ADDRESS, 'secure-port': settings.API_PORT,
            'etcd-servers': f'http://127.0.0.1:{settings.ETCD_PORT}',
            'service-cluster-ip-range': settings.SERVICE_NETWORK,
            'endpoint-reconciler-type': 'none',
            'client-ca-file': self.state.certificate('ca'),
            'tls-cert-file': self.state.certificate('apiserver'), 'tls-private-key-file': self.state.key('apiserver'),
            'kubelet-certificate-authority': self.state.certificate('ca'),
            'kubelet-client-certificate': self.state.certificate('apiserver-kubelet'),
            'kubelet-client-key': self.state.key('apiserver-kubelet'),
            'kubelet-preferred-address-types': 'InternalIP',
            'service-account-issuer': f'https://kubernetes.default.svc.{settings.CLUSTER_DOMAIN}',
            'service-account-key-file': pki / 'service-account.pub',
            'service-account-signing-key-file': self.state.key('service-account'),
            'requestheader-client-ca-file': self.state.certificate('front-proxy-ca'),
            'requestheader-allowed-names': 'front-proxy-client',
            'requestheader-username-headers': 'X-Remote-User', 'requestheader-group-headers': 'X-Remote-Group',
            'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
            'proxy-client-cert-file': self.state.certificate('front-proxy'),
            'proxy-client-key-file': self.state.key('front-proxy'),
            'authorization-mode': 'Node,RBAC', 'anonymous-auth': 'false',
            'enable-admission-plugins': 'NodeRestriction', 'allow-privileged': 'true',
            'audit-policy-file': self._config('audit-policy', AUDIT_POLICY), 'audit-log-path': self.state.audit_log,
            'audit-log-format': 'json', 'audit-log-maxsize': 200, 'audit-log-maxbackup': 2})

    def controller_manager(self) -> list[str]:
        kubeconfig = self.state.kubeconfig('controller-manager')
        return self._program('kube-controller-manager', {
            'kubeconfig': kubeconfig, 'authentication-kubeconfig': kubeconfig, 'authorization-kubeconfig': kubeconfig,
            'bind-address': '127.0.0.1', 'secure-port': settings.CONTROLLER_MANAGER_PORT, 'controllers': '*',
            'cluster-name': 'penstock-test', 'leader-elect': 'false', 'use-service-account-credentials': 'true',
            'root-ca-file': self.state.certificate('ca'), 'client-ca-file': self.state.certificate('ca'),
            'cluster-signing-cert-file': self.state.certificate('ca'), 'cluster-signing-key-file': self.state.key('ca'),
            'service-account-private-key-file': self.state.key('service-account'),
            'flex-volume-plugin-dir': self.state.root / 'kubelet/plugins-volume',
            'kube-api-qps': QPS, 'kube-api-burst': BURST})

    def scheduler(self) -> list[str]:
        kubeconfig = self.state.kubeconfig('scheduler')
        config = self._config('scheduler', {
            'apiVersion': 'kubescheduler.config.k8s.io/v1', 'kind': 'KubeSchedulerConfiguration',
            'leaderElection': {'leaderElect': False}, 'clientConnection': _connection(kubeconfig)})
        return self._program('kube-scheduler', {
            'config': config, 'authentication-kubeconfig': kubeconfig, 'authorization-kubeconfig': kubeconfig,
            'bind-address': '127.0.0.1', 'secure-port': settings.SCHEDULER_PORT})

    def kubelet(self) -> list[str]:
        config = self._config('kubelet', {
            'apiVersion': 'kubelet.config.k8s.io/v1beta1', 'kind': 'KubeletConfiguration',
            'address': NODE_ADDRESS, 'port': settings.KUBELET_PORT,
            'healthzBindAddress': '127.0.0.1', 'healthzPort': settings.KUBELET_HEALTH_PORT,
            'authentication': {'anonymous': {'enabled': False}, 'webhook': {'enabled': True},
                               'x509': {'clientCAFile': str(self.state.certificate('ca'))}},
            'authorization': {'mode': 'Webhook'},
            'tlsCertFile': str(self.state.certificate('kubelet-serving')),
            'tlsPrivateKeyFile': str(self.state.key('kubelet-serving')),
            'containerRuntimeEndpoint': f'unix://{self.state.containerd_socket}',
            'cgroupDriver': 'cgroupfs', 'failCgroupV1': False, 'enforceNodeAllocatable': [], 'failSwapOn': False,
            'clusterDNS': [NODE_ADDRESS], 'clusterDomain': settings.CLUSTER_DOMAIN,
            'podLogsDir': str(self.state.root / 'pods'), 'volumePluginDir': str(self.state.root / 'kubelet/plugins-volume'),
            'maxPods': MAX_PODS, 'registryPullQPS': 100, 'serializeImagePulls': False,
            'kubeAPIQPS': QPS, 'kubeAPIBurst': BURST, 'eventRecordQPS': QPS, 'eventBurst': BURST,
            # Images come from no registry: one that is thrown away for space is gone.
            'imageGCHighThresholdPercent': 100, 'imageGCLowThresholdPercent': 99,
            'evictionHard': {'memory.available': '100Mi', 'nodefs.available': '1%', 'imagefs.available': '1%',
                             'nodefs.inodesFree': '1%', 'imagefs.inodesFree': '1%'}})
        return self._program('kubelet', {
            'config': config, 'kubeconfig': self.state.kubeconfig('kubelet'), 'root-dir': self.state.root / 'kubelet',
            'hostname-override': NODE_NAME, 'node-ip': NODE_ADDRESS})

    def proxy(self) -> list[str]:
        config = self._config('proxy', {
            'apiVersion': 'kubeproxy.config.k8s.io/v1alpha1', 'kind': 'KubeProxyConfiguration', 'mode': 'iptables',
            'clientConnection': _connection(self.state.kubeconfig('proxy')), 'hostnameOverride': NODE_NAME,
            'clusterCIDR': settings.POD_NETWORK, 'bindAddress': NODE_ADDRESS,
            'healthzBindAddress': f'127.0.0.1:{settings.PROXY_HEALTH_PORT}',
            'metricsBindAddress': f'127.0.0.1:{settings.PROXY_METRICS_PORT}',
            # A test that has just made a Service waits for it: the default is a second.
            'iptables': {'minSyncPeriod': '100ms', 'localhostNodePorts': False},
            'conntrack': {'maxPerCore': 0, 'min': 0, 'tcpEstablishedTimeout': '0s', 'tcpCloseWaitTimeout': '0s'}})
        return self._program('kube-proxy', {'config': config})

    def dns(self) -> list[str]:
        nameservers = any(line.startswith('nameserver') for line in _lines(Path('/etc/resolv.conf')))
        corefile = self.state.config / 'Corefile'
        corefile.write_text('\n'.join([
            f'.:{settings.DNS_PORT} {{', f'    bind {NODE_ADDRESS}', '    errors',
            f'    ready 127.0.0.1:{settings.DNS_READY_PORT}',
            # What a test has just made must be found soon, even by who asked for it a moment too early.
            '    cache {', '        success 1000 2', '        denial 1000 1', '    }',
            f'    kubernetes {settings.CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {{',
            f'        kubeconfig {self.state.kubeconfig("coredns")}', '        pods insecure', '        ttl 2',
            '        fallthrough in-addr.arpa ip6.arpa', '    }',
            *(['    forward . /etc/resolv.conf'] if nameservers else []), '}', '']))
        return [str(self.programs / 'coredns'), '-conf', str(corefile)]

    def containerd(self) -> list[str]:
        home = self.state.root / 'containerd'
        config = self.state.config / 'containerd.toml'
        config.write_text(CONTAINERD.format(
            root=home / 'root', state=home / 'state', socket=self.state.containerd_socket, runc=self.programs / 'runc',
            shim=self.programs / 'containerd-shim-runc-v2', pause=settings.PAUSE_IMAGE, plugins=settings.CNI_PLUGINS,
            networks=self._networks(), opt=home / 'opt', runc_state=home / 'runc'))
        return [str(self.programs / 'containerd'), '--config', str(config)]

    def _networks(self) -> Path:
        directory = self.state.root / 'cni' / 'net.d'
        directory.mkdir(parents=True, exist_ok=True)
        first, last = settings.POD_RANGE
        (directory / '10-penstock-test.conflist').write_text(json.dumps({
            'cniVersion': '1.0.0', 'name': settings.CNI_NETWORK, 'plugins': [
                {'type': 'bridge', 'bridge': settings.BRIDGE, 'hairpinMode': True, 'ipam': {
                    'type': 'host-local', 'dataDir': str(self.state.root / 'cni' / 'addresses'),
                    'ranges': [[{'subnet': settings.POD_NETWORK, 'rangeStart': first, 'rangeEnd': last,
                                 'gateway': NODE_ADDRESS}]],
                    'routes': [{'dst': '0.0.0.0/0'}]}},
                {'type': 'portmap', 'capabilities': {'portMappings': True}, 'snat': True}]}, indent=1))
        return directory

    def _program(self, name: str, flags: dict[str, object]) -> list[str]:
        return [str(self.programs / name), *(f'--{flag}={value}' for flag, value in flags.items())]

    def _config(self, name: str, content: dict[str, object]) -> Path:
        path = self.state.config / f'{name}.json'
        path.write_text(json.dumps(content, indent=1))
        return path


def _connection(kubeconfig: Path) -> dict[str, object]:
    return {'kubeconfig': str(kubeconfig), 'qps': QPS, 'burst': BURST}


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


# Measurements read when a request came and when it was answered, by the server's own clock.
AUDIT_POLICY: dict[str, object] = {
    'apiVersion': 'audit.k8s.io/v1', 'kind': 'Policy', 'omitStages': ['ResponseStarted'], 'omitManagedFields': True,
    'rules': [
        {'level': 'Metadata', 'resources': [{'group': '', 'resources': ['pods', 'pods/status', 'pods/binding']}]},
        {'level': 'None'}]}

# `restrict_oom_score_adj`: where lowering one's own score is not permitted, runc fails without it.
CONTAINERD = '''\
version = 3
root = "{root}"
state = "{state}"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing", "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.erofs"]

[grpc]
  address = "{socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{opt}"

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "{pause}"

[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{plugins}"]
    conf_dir = "{networks}"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      runtime_path = "{shim}"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = "{runc}"
        Root = "{runc_state}"
        SystemdCgroup = false
'''
