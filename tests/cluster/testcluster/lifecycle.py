"""Takes the cluster up and down, and knows whether it is whole."""

import contextlib
import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from . import images, kernel, machine, names, network, objects, pki, processes, programs, s3, settings
from .api import Api
from .cache import locked
from .components import Components
from .record import Record
from .run import ClusterError, say, tail, wait_until
from .settings import MACHINE_LOCK, MACHINE_RECORD, StateDirectory

# The processes beside the S3 server, in the order in which they end.
PROCESSES = ['kubelet', 'kube-proxy', 'coredns', 'kube-scheduler', 'kube-controller-manager', 'kube-apiserver', 'etcd',
             'containerd']
# All they know is thrown away with them, so no one is given time to put it in order but the one that runs containers.
PATIENCE = {'containerd': 3.0}
START_LIMIT = 60
LONGEST_SOCKET = 107
CONTAINER_LINKS = Path('/var/log/containers')
SHIM_SOCKETS = Path('/run/containerd/s')
# The kubelet has no setting for where device plugins register.
DEVICE_PLUGINS = Path('/var/lib/kubelet/device-plugins')


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """Nothing else takes a cluster of this machine up or down meanwhile."""
    with locked(MACHINE_LOCK, 'takes the cluster of this machine up or down', limit=900):
        yield


def up(state: StateDirectory) -> None:
    """Starts the cluster unless it is up."""
    reason = machine.obstacle()
    if reason is not None:
        raise ClusterError(f'no cluster can run here: {reason}')
    built = programs.build()
    machine.install_packages()
    s3.install()
    with exclusive():
        _refuse_second(state)
        record = Record.read(state.record)
        if record is not None:
            problem = _problem(state, record)
            if problem is None:
                _complete(state, record, built)
                return
            say(f'the cluster in {state.root} is not whole ({problem}): taking it down first')
            _take_down(state, record)
        begun = time.monotonic()
        try:
            _start(state, built)
        except ClusterError as error:
            raise ClusterError(f'{error}\nwhat did start is still there to be looked at; the next `up` or a `down` '
                               'removes it') from error
        say(f'the cluster is up after {time.monotonic() - begun:.1f} s: KUBECONFIG={state.admin_kubeconfig}')


def down(state: StateDirectory) -> None:
    """Ends the cluster of this directory and undoes what it did to the machine."""
    with exclusive():
        record = Record.read(state.record)
        if record is None:
            say(f'no cluster is up in {state.root}')
            return
        begun = time.monotonic()
        _take_down(state, record)
        say(f'the cluster is down after {time.monotonic() - begun:.1f} s; its logs stay in {state.logs}')


def switch_s3(state: StateDirectory, on: bool) -> None:
    """Stops the S3 server for a while, or starts it again on its data."""
    with exclusive():
        record = Record.read(state.record)
        if record is None:
            raise ClusterError(f'no cluster is up in {state.root}')
        process = record.processes.get(s3.NAME)
        if not on:
            s3.stop_server(record)
        elif process is None or not process.runs():
            s3.start_server(state, record, Path(record.programs))
            s3.await_server(state, record)


def _complete(state: StateDirectory, record: Record, built: Path) -> None:
    """The cluster is up; a test may have stopped its S3 server and died."""
    if s3.NAME not in record.processes:
        say('starting the S3 server, which had been stopped')
        s3.start_server(state, record, built)
        s3.await_server(state, record)
    other = '' if record.programs == str(built) else f' (with the programs in {record.programs})'
    say(f'the cluster is up already{other}: KUBECONFIG={state.admin_kubeconfig}')


def _machine_cluster() -> Path | None:
    """The state directory of the cluster that this machine was told to run last."""
    try:
        return Path(json.loads(MACHINE_RECORD.read_text())['directory'])
    except (OSError, ValueError, KeyError):
        return None


def _refuse_second(state: StateDirectory) -> None:
    other = _machine_cluster()
    if other is not None and other != state.root and StateDirectory(other).record.exists():
        raise ClusterError(f'another cluster of this machine is in {other}: use it, or take it down with '
                           f'`tests/cluster/cluster down --dir {other}`')


def _problem(state: StateDirectory, record: Record) -> str | None:
    """Why the cluster is not whole, or None. A stopped S3 server is no fault: tests stop it."""
    for name in [*PROCESSES, *(name for name in record.processes if name == s3.NAME)]:
        process = record.processes.get(name)
        if process is None or not process.runs():
            return f'{name} does not run'
    try:
        api = Api(state)
    except OSError as error:
        return f'its certificates cannot be read: {error}'
    if api.get('/readyz') is None:
        return 'the API server is not ready'
    if not api.node_is_ready(settings.NODE_NAME):
        return 'the node is not ready'
    return None


def _start(state: StateDirectory, built: Path) -> None:
    if kernel.has_pod_cgroups():
        raise ClusterError(f'a kubelet that is not ours runs here: there is a cgroup {kernel.CGROUP}')
    if len(f'{state.containerd_socket}.ttrpc') > LONGEST_SOCKET:
        raise ClusterError(f'the path {state.root} is too long for sockets below it: choose a shorter --dir')
    conflict = machine.address_conflict(settings.BRIDGE)
    if conflict is not None:
        raise ClusterError(conflict)
    state.root.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(state.logs, ignore_errors=True)
    for path in state.transient():
        _remove(path)
    state.logs.mkdir()
    record = Record.new(state.record)
    record.programs, record.sysctls, record.foreign_chains = (
        str(built), kernel.read_sysctls(), network.foreign_chains())
    record.write()
    MACHINE_RECORD.write_text(json.dumps({'directory': str(state.root)}))
    network.remove_bridge()
    kernel.write_sysctls(kernel.needed_sysctls())
    network.make_bridge()
    busy = machine.busy_listener()
    if busy is not None:
        raise ClusterError(busy)
    pki.write(state)
    components = Components(state, built)
    processes.start(state, record, 'etcd', components.etcd(), built)
    processes.start(state, record, 'containerd', components.containerd(), built)
    s3.start_server(state, record, built)
    _await_port(state, record, 'etcd', '127.0.0.1', settings.ETCD_PORT)
    processes.start(state, record, 'kube-apiserver', components.api_server(), built)
    with _loading_images(state, record, built):
        _await_api(state, record)
        # First what the components may do, so that none is refused and waits before it tries again.
        api = Api(state)
        for thing in objects.all_objects():
            api.apply(thing)
        for name, command in (('kube-controller-manager', components.controller_manager()),
                              ('kube-scheduler', components.scheduler()), ('coredns', components.dns()),
                              ('kubelet', components.kubelet()), ('kube-proxy', components.proxy())):
            processes.start(state, record, name, command, built)
        s3.await_server(state, record)
    _await_ready(state, record, api)


@contextlib.contextmanager
def _loading_images(state: StateDirectory, record: Record, built: Path) -> Iterator[None]:
    """Imports images beside what the block does; afterwards they are there."""
    failures: list[ClusterError] = []

    def load() -> None:
        try:
            wait_until('containerd answers', lambda: _accepts(state.containerd_socket), limit=START_LIMIT,
                       explain=lambda: tail(state.log('containerd')))
            processes.must_run(state, record, 'containerd')
            images.load_missing(state, built, [images.pause(built), *images.built_already(built)])
        except ClusterError as error:
            failures.append(error)
    loader = threading.Thread(target=load)
    loader.start()
    try:
        yield
    finally:
        loader.join()
    if failures:
        raise failures[0]


def _await_port(state: StateDirectory, record: Record, name: str, address: str, port: int) -> None:
    _await(state, record, name, f'{name} listens on {address}:{port}', lambda: _connects(address, port))


def _await(state: StateDirectory, record: Record, name: str, what: str, probe: Callable[[], object]) -> None:
    """Waits for something that one process brings about, as long as that process runs."""
    def probe_while_it_runs() -> object:
        processes.must_run(state, record, name)
        return probe()
    wait_until(what, probe_while_it_runs, limit=START_LIMIT, explain=lambda: tail(state.log(name)))


def _await_api(state: StateDirectory, record: Record) -> None:
    api = Api(state)

    def is_ready() -> bool:
        processes.must_run(state, record, 'kube-apiserver')
        processes.must_run(state, record, 'etcd')
        return api.get('/readyz') is not None
    wait_until('the API server is ready', is_ready, limit=2 * START_LIMIT, pause=0.1,
               explain=lambda: tail(state.log('kube-apiserver')))


def _await_ready(state: StateDirectory, record: Record, api: Api) -> None:
    """Waits for everything that a test takes for granted."""
    steps: list[tuple[str, str, Callable[[], object]]] = [
        ('the node is ready', 'kubelet', lambda: api.node_is_ready(settings.NODE_NAME)),
        ('the certificate authority is published', 'kube-controller-manager',
         lambda: api.get('/api/v1/namespaces/default/configmaps/kube-root-ca.crt')),
        ('the default service account is there', 'kube-controller-manager',
         lambda: api.get('/api/v1/namespaces/default/serviceaccounts/default')),
        ('Service addresses lead somewhere', 'kube-proxy',
         lambda: _connects(settings.API_SERVICE_ADDRESS, 443)),
        ('names are answered', 'coredns',
         lambda: names.address_of(f'kubernetes.default.svc.{settings.CLUSTER_DOMAIN}') == settings.API_SERVICE_ADDRESS),
        ('the S3 Service has a name', 'coredns',
         lambda: names.address_of(f'minio-service.kubeflow.svc.{settings.CLUSTER_DOMAIN}')),
    ]
    for what, name, probe in steps:
        _await(state, record, name, what, probe)
    for name in PROCESSES:
        processes.must_run(state, record, name)


def _take_down(state: StateDirectory, record: Record) -> None:
    s3.stop_server(record)
    # First the kubelet, so that nothing starts again; then the Pods; then the rest.
    for name in PROCESSES:
        process = record.processes.get(name)
        if process is not None:
            processes.stop(name, process, PATIENCE.get(name, 0.0))
    sockets = _shim_sockets(state)
    kernel.remove_pod_cgroups()
    processes.stop_unrecorded(state)
    for path in sockets:
        path.unlink(missing_ok=True)
    (DEVICE_PLUGINS / 'kubelet.sock').unlink(missing_ok=True)
    for directory in (SHIM_SOCKETS, SHIM_SOCKETS.parent, DEVICE_PLUGINS, DEVICE_PLUGINS.parent):
        with contextlib.suppress(OSError):
            directory.rmdir()  # Unless someone else's things are there.
    kernel.unmount_below(state.root)
    network.remove_bridge()
    network.remove_chains(record.foreign_chains)
    network.remove_plugin_results(state.root)
    kernel.write_sysctls(record.sysctls)
    _remove_container_links(state)
    for path in state.transient():
        _remove(path)
    if _machine_cluster() == state.root:
        MACHINE_RECORD.unlink()


def _shim_sockets(state: StateDirectory) -> list[Path]:
    """Where the shims of this cluster's containers listen: outside of the state directory."""
    found = []
    for file in (state.root / 'containerd/state').glob('io.containerd.runtime.v2.task/*/*/bootstrap.json'):
        with contextlib.suppress(OSError, ValueError, KeyError):
            found.append(Path(json.loads(file.read_text())['address'].removeprefix('unix://')))
    return found


def _remove_container_links(state: StateDirectory) -> None:
    """The kubelet links each container's log into a directory of the machine."""
    if CONTAINER_LINKS.is_dir():
        for link in CONTAINER_LINKS.iterdir():
            if link.is_symlink() and str(link.readlink()).startswith(f'{state.root}/'):
                link.unlink()
        with contextlib.suppress(OSError):
            CONTAINER_LINKS.rmdir()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _connects(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
        return True
    except OSError:
        return False


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
            return True
        except OSError:
            return False
