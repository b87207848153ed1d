"""Certificates, keys and kubeconfigs of one cluster: new ones for each start."""

import base64
import dataclasses
import json
from pathlib import Path

from .run import run
from .settings import API_SERVICE_ADDRESS, API_URL, CLUSTER_DOMAIN, NODE_ADDRESS, NODE_NAME, StateDirectory

DAYS = '365'
CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-noenc']
API_NAMES = ['DNS:kubernetes', 'DNS:kubernetes.default', 'DNS:kubernetes.default.svc',
             f'DNS:kubernetes.default.svc.{CLUSTER_DOMAIN}', 'DNS:localhost', f'IP:{API_SERVICE_ADDRESS}',
             f'IP:{NODE_ADDRESS}', 'IP:127.0.0.1']


@dataclasses.dataclass(frozen=True)
class Identity:
    """A certificate: of which authority, for whom, and for which names if it serves."""

    name: str
    common_name: str
    group: str = ''
    serves: tuple[str, ...] = ()
    authority: str = 'ca'
    kubeconfig: bool = True


IDENTITIES = [
    Identity('admin', 'penstock-admin', 'system:masters'),
    Identity('controller-manager', 'system:kube-controller-manager'),
    Identity('scheduler', 'system:kube-scheduler'),
    Identity('proxy', 'system:kube-proxy'),
    Identity('kubelet', f'system:node:{NODE_NAME}', 'system:nodes'),
    Identity('coredns', 'system:coredns'),
    Identity('apiserver', 'kube-apiserver', serves=tuple(API_NAMES), kubeconfig=False),
    Identity('apiserver-kubelet', 'kube-apiserver-kubelet-client', kubeconfig=False),
    Identity('kubelet-serving', f'system:node:{NODE_NAME}', 'system:nodes',
             serves=(f'IP:{NODE_ADDRESS}', f'DNS:{NODE_NAME}'), kubeconfig=False),
    Identity('front-proxy', 'front-proxy-client', authority='front-proxy-ca', kubeconfig=False),
]
AUTHORITIES = ['ca', 'front-proxy-ca']


def write(state: StateDirectory) -> None:
    """Writes all of them below the state directory."""
    state.pki.mkdir(mode=0o700)
    state.config.mkdir(mode=0o700, exist_ok=True)
    for name in AUTHORITIES:
        extensions = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign,digitalSignature']
        _certificate(state, name, f'/CN=penstock-test-{name}', extensions, None)
    for identity in IDENTITIES:
        subject = f'/O={identity.group}/CN={identity.common_name}' if identity.group else f'/CN={identity.common_name}'
        usage = 'serverAuth,clientAuth' if identity.serves else 'clientAuth'
        extensions = ['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,digitalSignature',
                      f'extendedKeyUsage={usage}']
        if identity.serves:
            extensions.append('subjectAltName=' + ','.join(identity.serves))
        _certificate(state, identity.name, subject, extensions, identity.authority)
        if identity.kubeconfig:
            _kubeconfig(state, identity.name)
    run(['openssl', 'genpkey', '-quiet', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-out',
         state.key('service-account')])
    run(['openssl', 'pkey', '-in', state.key('service-account'), '-pubout', '-out', state.pki / 'service-account.pub'])
    _private(state.admin_kubeconfig, state.kubeconfig('admin').read_text())


def _certificate(state: StateDirectory, name: str, subject: str, extensions: list[str], authority: str | None) -> None:
    config = state.pki / f'{name}.cnf'
    config.write_text('\n'.join(['[req]', 'distinguished_name=subject', 'x509_extensions=extensions', 'prompt=no',
                                 '[subject]', 'CN=unused', '[extensions]', *extensions, '']))
    signer = ['-CA', state.certificate(authority), '-CAkey', state.key(authority)] if authority else []
    run(['openssl', 'req', '-x509', '-batch', '-config', config, *CURVE, '-subj', subject, '-days', DAYS, *signer,
         '-keyout', state.key(name), '-out', state.certificate(name)])
    config.unlink()


def _kubeconfig(state: StateDirectory, name: str) -> None:
    def data(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()
    # JSON is YAML.
    _private(state.kubeconfig(name), json.dumps({
        'apiVersion': 'v1', 'kind': 'Config', 'current-context': 'penstock-test',
        'clusters': [{'name': 'penstock-test', 'cluster': {
            'server': API_URL, 'certificate-authority-data': data(state.certificate('ca'))}}],
        'users': [{'name': name, 'user': {
            'client-certificate-data': data(state.certificate(name)), 'client-key-data': data(state.key(name))}}],
        'contexts': [{'name': 'penstock-test', 'context': {'cluster': 'penstock-test', 'user': name}}],
    }, indent=1))


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
