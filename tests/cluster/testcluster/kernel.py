"""What containers leave in the kernel: cgroups and mounts. And the settings that a node changes."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from .run import ClusterError, run

# The kubelet keeps all Pods below it.
CGROUP = 'kubepods'
# Set by us, by the kubelet and by the network plugins; put back by `down`.
SYSCTLS = {
    'net/ipv4/ip_forward': '1', 'net/bridge/bridge-nf-call-iptables': '1',
    'vm/overcommit_memory': None, 'vm/panic_on_oom': None, 'kernel/panic': None, 'kernel/panic_on_oops': None,
    'kernel/keys/root_maxkeys': None, 'kernel/keys/root_maxbytes': None, 'net/ipv4/conf/all/route_localnet': None,
}


def _sysctl(name: str) -> Path:
    return Path('/proc/sys') / name


def read_sysctls() -> dict[str, str]:
    """The present values of those that this kernel has."""
    return {name: _sysctl(name).read_text().strip() for name in SYSCTLS if _sysctl(name).exists()}


def write_sysctls(values: dict[str, str]) -> None:
    """Sets what differs."""
    for name, value in values.items():
        path = _sysctl(name)
        try:
            if path.read_text().strip() != value:
                path.write_text(value)
        except OSError as error:
            raise ClusterError(f'cannot set {path} to {value}: {error}') from None


def needed_sysctls() -> dict[str, str]:
    """What the cluster's network needs, where the kernel has it."""
    return {name: value for name, value in SYSCTLS.items() if value is not None and _sysctl(name).exists()}


def mounts_below(directory: Path) -> list[Path]:
    """Mount points below a directory, the innermost first."""
    points = []
    for line in Path('/proc/self/mountinfo').read_text().splitlines():
        point = Path(line.split()[4].encode().decode('unicode_escape'))
        if directory in point.parents:
            points.append(point)
    return points[::-1]


def unmount_below(directory: Path) -> None:
    """Takes down every mount below a directory."""
    for point in mounts_below(directory):
        run(['umount', '--lazy', point], check=False)
    left = mounts_below(directory)
    if left:
        raise ClusterError(f'cannot unmount {left[0]} (and {len(left) - 1} more)')


def _pod_cgroups() -> Iterator[Path]:
    for line in Path('/proc/self/mounts').read_text().splitlines():
        _, point, kind, *_ = line.split()
        if kind in ('cgroup', 'cgroup2') and (Path(point) / CGROUP).is_dir():
            yield Path(point) / CGROUP


def has_pod_cgroups() -> bool:
    """Whether a kubelet's cgroups are there."""
    return any(True for _ in _pod_cgroups())


def remove_pod_cgroups(limit: float = 20) -> None:
    """Kills every process in them and removes them."""
    deadline = time.monotonic() + limit
    while True:
        for top in _pod_cgroups():
            for directory, _, _ in os.walk(top, topdown=False):
                _empty(Path(directory))
        if not has_pod_cgroups():
            return
        if time.monotonic() > deadline:
            raise ClusterError(f'processes of Pods do not end: see {next(_pod_cgroups())}/**/cgroup.procs')
        time.sleep(0.05)


def _empty(cgroup: Path) -> None:
    """Kills the processes of one cgroup and removes it; if they are still ending, another try will."""
    try:
        for pid in (cgroup / 'cgroup.procs').read_text().split():
            os.kill(int(pid), signal.SIGKILL)
    except (OSError, ValueError):
        pass
    try:
        cgroup.rmdir()
    except OSError:
        pass
