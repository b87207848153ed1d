"""What this machine has to have: root, namespaces, a few Debian packages."""

import os
import platform
import shutil
import socket
import subprocess
from pathlib import Path

from .run import ClusterError, run, say
from .settings import CNI_PLUGINS, LISTENERS, NODE_ADDRESS

# Something that shows that a Debian package is installed, and its name.
PACKAGES = {
    'iptables': 'iptables', 'conntrack': 'conntrack', 'socat': 'socat', 'ethtool': 'ethtool', 'ip': 'iproute2',
    'mount': 'mount', 'openssl': 'openssl', 'pkg-config': 'pkg-config', 'cc': 'build-essential',
    '/usr/include/seccomp.h': 'libseccomp-dev', f'{CNI_PLUGINS}/bridge': 'containernetworking-plugins',
}


def missing_packages() -> list[str]:
    """Debian packages to be installed."""
    def is_there(sign: str) -> bool:
        return Path(sign).exists() if sign.startswith('/') else shutil.which(sign) is not None
    return [package for sign, package in PACKAGES.items() if not is_there(sign)]


def install_packages() -> None:
    """Installs what is missing, if this user may."""
    missing = missing_packages()
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which('apt-get'):
        raise ClusterError(f'missing here: install the Debian packages {" ".join(missing)}, or what corresponds to them')
    say(f'installing {" ".join(missing)}')
    run(['apt-get', 'update', '-qq'], limit=300)
    run(['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', 'install', '-y', '-qq', '--no-install-recommends', *missing],
        limit=600)


def require_tools(*names: str) -> None:
    """Fails when a program that nobody but the user can install is missing."""
    advice = {'go': 'install Go 1.26 or newer', 'cc': 'install the package build-essential'}
    for name in names:
        if not shutil.which(name):
            raise ClusterError(f'{name} is missing: {advice[name]}')


def obstacle() -> str | None:
    """Why no cluster can run here, or None."""
    if platform.system() != 'Linux':
        return f'a cluster needs Linux; this is {platform.system()}'
    if platform.machine() != 'x86_64':
        return f'the cluster is tried on x86_64 only; this is {platform.machine()}'
    if os.geteuid() != 0:
        return 'a cluster needs root: it makes namespaces, mounts, a bridge and iptables rules'
    if 'overlay' not in Path('/proc/filesystems').read_text():
        return 'the kernel has no overlay file system'
    if not any(' cgroup' in line for line in Path('/proc/self/mounts').read_text().splitlines()):
        return 'no cgroup hierarchy is mounted'
    for namespace in ('--mount', '--net', '--pid'):
        if subprocess.run(['unshare', namespace, '--fork', 'true'], capture_output=True).returncode != 0:
            return f'this process may not make namespaces (`unshare {namespace} true` fails): probably a container'
    if not shutil.which('go'):
        return 'go is missing: install Go 1.26 or newer'
    missing = missing_packages()
    if missing and not shutil.which('apt-get'):
        return f'the packages {" ".join(missing)} are missing and there is no apt-get to install them'
    return None


def busy_listener() -> str | None:
    """The first of the cluster's ports that something else holds, in words. The node's address must be there."""
    for address, port, owner in LISTENERS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                return f'{address}:{port} is not free for {owner}: {error.strerror}; end the program that holds it'
    return None


def address_conflict(bridge: str) -> str | None:
    """Another interface with the node's network, in words."""
    for line in run(['ip', '-brief', '-4', 'address', 'show']).splitlines():
        name, _, *addresses = line.split()
        if name.split('@')[0] != bridge and any(address.startswith(NODE_ADDRESS.rsplit('.', 2)[0] + '.')
                                                for address in addresses):
            return f'interface {name} already has {" ".join(addresses)}, which is the cluster\'s network'
    return None
