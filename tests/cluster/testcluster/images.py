"""The images that tests use, made without a container engine or a registry, and their import."""

from pathlib import Path

from . import rootfs
from .archive import ImageConfig, pack
from .cache import key_of, once
from .run import run, say
from .settings import SOURCES, StateDirectory, cache_directory

BUSYBOX = ImageConfig(('busybox:1.36', 'busybox:1.37'), command=('sh',))
# One root file system under every name that compiled pipelines use.
PYTHON = ImageConfig(
    tuple(f'python:3.{minor}' for minor in (9, 10, 11, 12, 13)), command=('python3',),
    environment=('PATH=/usr/local/bin:/usr/bin:/bin', 'LANG=C.UTF-8'))
# One more for Kubeflow's own end-to-end suite: what its pipelines install and call, under every name that they use.
SUITES = ImageConfig(
    ('python:3.11', 'python:alpine3.9', 'registry.access.redhat.com/ubi9/python-311:latest', 'alpine:latest',
     'ghcr.io/containerd/busybox:latest', 'jetbrainsinfra/jq:latest'), command=('python3',), environment=PYTHON.environment)
# What a pipeline of that suite imports a model from, and the files that it looks for.
MODEL = ImageConfig(('registry.domain.local/modelcar:test',))
MODEL_FILES = ('added_tokens.json', 'config.json', 'generation_config.json', 'merges.txt', 'model.safetensors', 'normalizer.json',
               'preprocessor_config.json', 'special_tokens_map.json', 'tokenizer.json', 'tokenizer_config.json', 'vocab.json')
RECIPES = [SOURCES / 'testcluster' / name for name in ('rootfs.py', 'archive.py')]
CTR_NAMESPACE = 'k8s.io'


def pause(programs: Path) -> Path:
    """The image of each Pod's first process."""
    return programs / 'pause.tar'


def _directory(name: str, config: ImageConfig, *more: str) -> Path:
    return cache_directory() / f'cluster-image-{name}-{key_of([rootfs.release(), repr(config), *more], RECIPES)}'


def _busybox() -> Path:
    return _directory('busybox', BUSYBOX)


def _python() -> Path:
    return _directory('python', PYTHON, rootfs.REQUIREMENTS.read_text())


def _suites() -> Path:
    more = [*rootfs.SUITES_PYTHON_PACKAGES, *rootfs.SUITES_DEBIAN_PACKAGES]
    return _directory('suites', SUITES, rootfs.REQUIREMENTS.read_text(), *more)


def _model() -> Path:
    return _directory('model', MODEL, *MODEL_FILES)


def built_already(programs: Path) -> list[Path]:
    """Archives that need no work; says so if others do."""
    made = [directory / 'image.tar' for directory in (_busybox(), _python()) if (directory / '.complete').exists()]
    if len(made) < 2:
        say('not all test images are built: run `tests/cluster/cluster images` too')
    return [programs / 'hello.tar', *made]


def build(programs: Path) -> list[Path]:
    """Builds all archives that are not built."""
    def busybox(directory: Path) -> None:
        with rootfs.temporary(directory) as root:
            rootfs.busybox(root)
            pack(root, BUSYBOX, directory / 'image.tar')

    def python(directory: Path) -> None:
        with rootfs.temporary(directory) as root:
            rootfs.python(root, directory)
            pack(root, PYTHON, directory / 'image.tar')
    return [programs / 'hello.tar', once(_busybox(), busybox) / 'image.tar', once(_python(), python) / 'image.tar']


def build_for_suites() -> list[Path]:
    """Builds the archives for Kubeflow's suite that are not built. Imported, one takes the place of the usual `python:3.11`."""
    def suites(directory: Path) -> None:
        with rootfs.temporary(directory) as root:
            rootfs.python(root, directory, rootfs.SUITES_PYTHON_PACKAGES, rootfs.SUITES_DEBIAN_PACKAGES)
            pack(root, SUITES, directory / 'image.tar')

    def model(directory: Path) -> None:
        with rootfs.temporary(directory) as root:
            (root / 'models').mkdir(mode=0o755)
            for name in MODEL_FILES:
                (root / 'models' / name).write_text(f'in place of the {name} of a model\n')
            pack(root, MODEL, directory / 'image.tar')
    return [once(_suites(), suites) / 'image.tar', once(_model(), model) / 'image.tar']


def load_missing(state: StateDirectory, programs: Path, archives: list[Path]) -> None:
    """Imports those of the cache's archives that this start of the cluster has not got yet."""
    done = state.imported
    done.mkdir(exist_ok=True)
    for archive in archives:
        mark = done / f'{archive.parent.name}-{archive.stem}'
        if not mark.exists():
            load(state, programs, [archive])
            mark.touch()


def load(state: StateDirectory, programs: Path, archives: list[Path]) -> list[str]:
    """Imports archives into the running cluster and returns the names of what it has."""
    ctr = [programs / 'ctr', '--address', state.containerd_socket, '--namespace', CTR_NAMESPACE, 'images']
    for archive in archives:
        run([*ctr, 'import', archive], limit=300)
    return [line for line in run([*ctr, 'list', '--quiet']).splitlines() if not line.startswith('sha256:')]
