"""The bridge of the Pods and the iptables chains around it."""

import contextlib
import shutil
from pathlib import Path

from .run import run
from .settings import BRIDGE, NODE_ADDRESS, POD_NETWORK

# What kube-proxy, the kubelet and the portmap plugin make, and our own.
CHAINS = ('KUBE-', 'CNI-HOSTPORT-', 'CNI-DN-', 'PENSTOCK-TEST')
FAMILIES = ('iptables', 'ip6tables')
# A fixed address: otherwise the bridge takes that of the Pod that came last, and open connections stall.
BRIDGE_MAC = '02:00:0a:58:00:01'


def make_bridge() -> None:
    """Makes the bridge with the node's address and lets Pods reach what the host reaches."""
    prefix = POD_NETWORK.split('/')[1]
    run(['ip', 'link', 'add', BRIDGE, 'address', BRIDGE_MAC, 'type', 'bridge'])
    run(['ip', 'address', 'add', f'{NODE_ADDRESS}/{prefix}', 'dev', BRIDGE])
    run(['ip', 'link', 'set', BRIDGE, 'up'])
    for table, chain, rule in (
            ('nat', 'POSTROUTING', ['-s', POD_NETWORK, '!', '-d', POD_NETWORK, '-j', 'MASQUERADE']),
            ('filter', 'FORWARD', ['-i', BRIDGE, '-j', 'ACCEPT']), ('filter', 'FORWARD', ['-o', BRIDGE, '-j', 'ACCEPT'])):
        own = f'PENSTOCK-TEST-{chain}'
        if own not in chains('iptables').get(table, []):
            run(['iptables', '-w', '-t', table, '-N', own])
            run(['iptables', '-w', '-t', table, '-A', chain, '-j', own])
        run(['iptables', '-w', '-t', table, '-A', own, *rule])


def remove_bridge() -> None:
    """Removes the bridge; the interfaces of Pods end with their namespaces."""
    if Path(f'/sys/class/net/{BRIDGE}').exists():
        run(['ip', 'link', 'delete', BRIDGE])


def remove_plugin_results(state: Path) -> None:
    """Removes what the plugins remember, outside of the state directory, of each Pod with a namespace in it."""
    results = Path('/var/lib/cni/results')
    if not results.is_dir():
        return
    for result in results.iterdir():
        if f'{state}/' in result.read_text(errors='replace'):
            result.unlink()
    for directory in (results, results.parent):
        with contextlib.suppress(OSError):
            directory.rmdir()  # Unless someone else's are there.


def _save(family: str) -> list[tuple[str, str]]:
    """Lines of `iptables-save` with their tables."""
    lines, table = [], ''
    for line in run([f'{family}-save']).splitlines():
        if line.startswith('*'):
            table = line[1:]
        elif line and line[0] in ':-':
            lines.append((table, line))
    return lines


def chains(family: str) -> dict[str, list[str]]:
    """Chains with the names of ours, by table."""
    found: dict[str, list[str]] = {}
    for table, line in _save(family):
        name = line[1:].split()[0]
        if line.startswith(':') and name.startswith(CHAINS):
            found.setdefault(table, []).append(name)
    return found


def foreign_chains() -> dict[str, list[str]]:
    """Chains that look like ours and were there before: `<family> <table>` to names."""
    return {f'{family} {table}': names for family in FAMILIES if shutil.which(family)
            for table, names in chains(family).items()}


def remove_chains(foreign: dict[str, list[str]]) -> None:
    """Removes the cluster's chains and the rules that lead to them."""
    for family in FAMILIES:
        if not shutil.which(family):
            continue
        lines = _save(family)
        for table, names in chains(family).items():
            ours = set(names) - set(foreign.get(f'{family} {table}', []))
            if not ours:
                continue
            script = [f'*{table}', *(f':{name} - [0:0]' for name in sorted(ours))]
            for owner, line in lines:
                words = line.split()
                if owner == table and words[0] == '-A' and words[1] not in ours and _target(words) in ours:
                    script.append('-D' + line[2:])
            script += [*(f'-X {name}' for name in sorted(ours)), 'COMMIT', '']
            run([f'{family}-restore', '--wait', '10', '--noflush'], stdin='\n'.join(script))


def _target(words: list[str]) -> str:
    for flag in ('-j', '-g'):
        if flag in words[:-1]:
            return words[words.index(flag) + 1]
    return ''
