"""Builds the programs of the cluster from their sources: Kubernetes, etcd, containerd, runc, CoreDNS, pause."""

import dataclasses
import os
from pathlib import Path

from . import machine
from .archive import ImageConfig, pack
from .cache import key_of, once
from .run import ClusterError, run, run_logged, say
from .settings import CONTAINERD_VERSION, HELLO_IMAGE, KUBERNETES_VERSION, PAUSE_IMAGE, SOURCES, cache_directory

BUILD_LIMIT = 3600
VERSION_PACKAGE = 'k8s.io/component-base/version'
MAJOR, MINOR = KUBERNETES_VERSION.removeprefix('v').split('.')[:2]
KUBERNETES_PROGRAMS = [
    'etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kube-proxy', 'kubelet', 'kubectl']
# Changing a flag rebuilds every package: they are the same for all builds for that reason.
GO_FLAGS = ['-buildvcs=false', '-mod=readonly', '-trimpath']


@dataclasses.dataclass(frozen=True)
class GoBuild:
    """One module below `programs/` and how it is built."""

    module: str
    variables: tuple[str, ...] = ()
    packages: tuple[str, ...] = ('.',)
    tags: str = ''
    cgo: bool = False

    def command(self, output: Path) -> list[str]:
        linker = ' '.join(['-s', '-w', *(f'-X {variable}' for variable in self.variables)])
        return ['go', 'build', *GO_FLAGS, f'-tags={self.tags}', f'-ldflags={linker}', '-o', f'{output}/', *self.packages]


BUILDS = [
    GoBuild('kubernetes', variables=(
        f'{VERSION_PACKAGE}.gitVersion={KUBERNETES_VERSION}', f'{VERSION_PACKAGE}.gitMajor={MAJOR}',
        f'{VERSION_PACKAGE}.gitMinor={MINOR}', f'k8s.io/client-go/pkg/version.gitVersion={KUBERNETES_VERSION}')),
    GoBuild('containerd', variables=(f'github.com/containerd/containerd/v2/version.Version=v{CONTAINERD_VERSION}',),
            packages=tuple(f'github.com/containerd/containerd/v2/cmd/{name}'
                           for name in ('containerd', 'containerd-shim-runc-v2', 'ctr')),
            tags='no_btrfs,no_devmapper,no_zfs'),
    GoBuild('runc', packages=('github.com/opencontainers/runc',), tags='seccomp', cgo=True),
    GoBuild('coredns'),
]
# Each is also the only thing in an image of its own.
C_PROGRAMS = {'pause': PAUSE_IMAGE, 'hello': HELLO_IMAGE}
C_COMMAND = ['cc', '-static', '-O2', '-s', '-Wall', '-Wextra', '-Werror']


def directory() -> Path:
    """Where the programs are once they are built."""
    sources = [path for path in (SOURCES / 'programs').rglob('*') if path.is_file()]
    compiler = run(['go', 'env', 'GOVERSION', 'GOARCH'])
    recipes = map(repr, (BUILDS, GO_FLAGS, C_COMMAND, C_PROGRAMS))
    return cache_directory() / f'cluster-{key_of([compiler, *recipes], sources)}'


def build() -> Path:
    """Builds what is not built and returns the directory of the programs."""
    machine.require_tools('go', 'cc')
    return once(directory(), _build)


def _build(output: Path) -> None:
    machine.install_packages()
    say(f'building the programs of the cluster into {output} (about eight minutes on two cores, once)')
    for name, image in C_PROGRAMS.items():
        root = output / f'{name}.root'
        root.mkdir()
        run([*C_COMMAND, '-o', root / name, SOURCES / 'programs' / name / f'{name}.c'])
        pack(root, ImageConfig((image,), entrypoint=(f'/{name}',)), output / f'{name}.tar')
    for build in BUILDS:
        environment = os.environ | {'CGO_ENABLED': str(int(build.cgo)), 'GOFLAGS': '', 'GOWORK': 'off'}
        run_logged(f'building {build.module}', build.command(output), output / 'logs' / f'{build.module}.log',
                   limit=BUILD_LIMIT, cwd=SOURCES / 'programs' / build.module, env=environment)
    for name in KUBERNETES_PROGRAMS:
        (output / name).symlink_to('kubernetes')
    version = run([output / 'kubectl', 'version', '--client'])
    if KUBERNETES_VERSION not in version:
        raise ClusterError(f'the kubectl that was built says {version!r} instead of {KUBERNETES_VERSION}: '
                           f'check the version in {SOURCES}/programs/kubernetes/go.mod')
