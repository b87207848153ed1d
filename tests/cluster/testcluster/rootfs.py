"""Root file systems of test images, made from Debian's packages and Python's. Nothing in them is run while they are made
but their own interpreter, to compile what it will import."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from . import machine
from .run import ClusterError, run, run_logged, say
from .settings import REPOSITORY

# The versions that the tests use; the images get the same.
REQUIREMENTS = REPOSITORY / 'tests/python/requirements.txt'
PYTHON_PACKAGES = ['kfp', 'pip', 'setuptools', 'typing-extensions', 'nbclient>=0.10,<1', 'ipykernel>=6,<7',
                   'jupyter_client>=7,<9']
# What the commands of compiled components call, with everything it depends on.
DEBIAN_PACKAGES = ['python3', 'dash', 'coreutils', 'sed', 'grep', 'findutils', 'tar', 'gzip', 'libc-bin', 'procps',
                   'ca-certificates', 'netbase']
# Not needed without a package manager, or only documentation.
LEFT_OUT = {'debconf', 'dpkg', 'perl-base', 'install-info', 'mime-support', 'media-types', 'openssl', 'init-system-helpers'}
UNUSED = ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/share/info', 'usr/share/lintian', 'usr/share/bug',
          'usr/share/perl5', 'usr/share/pixmaps', 'usr/share/applications', 'usr/lib/python3/dist-packages',
          'var/cache', 'var/lib/dpkg', 'usr/share/zsh', 'usr/share/bash-completion', 'usr/lib/systemd']
USERS = 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n'
GROUPS = 'root:x:0:\nnogroup:x:65534:\n'
DIRECTORIES = {'tmp': 0o1777, 'var/tmp': 0o1777, 'root': 0o755, 'etc': 0o755, 'proc': 0o755, 'sys': 0o755, 'dev': 0o755,
               'run': 0o755}


def release() -> str:
    """The release of Debian that packages are taken from."""
    for line in Path('/etc/os-release').read_text().splitlines():
        if line.startswith('VERSION_CODENAME='):
            return line.partition('=')[2].strip('"')
    raise ClusterError('test images are made of Debian packages: /etc/os-release names no VERSION_CODENAME')


@contextlib.contextmanager
def temporary(directory: Path) -> Iterator[Path]:
    """An empty root file system beside the archive that is made of it."""
    root = Path(tempfile.mkdtemp(prefix='root-', dir=directory))
    root.chmod(0o755)
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def busybox(root: Path) -> None:
    """Debian's static busybox under all its names."""
    _base(root)
    with tempfile.TemporaryDirectory() as place:
        _unpack(_download(['busybox-static'], Path(place)), Path(place) / 'unpacked')
        (root / 'bin').mkdir()
        shutil.copy2(Path(place) / 'unpacked/bin/busybox', root / 'bin/busybox')
    for applet in run([root / 'bin/busybox', '--list']).split():
        link = root / 'bin' / applet
        if not link.exists():
            link.symlink_to('busybox')
    (root / 'usr').mkdir()
    (root / 'usr/bin').symlink_to('../bin')


def _base(root: Path) -> None:
    for name, mode in DIRECTORIES.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name).chmod(mode)
    (root / 'etc/passwd').write_text(USERS)
    (root / 'etc/group').write_text(GROUPS)


def _download(packages: list[str], place: Path) -> list[Path]:
    """Fetches Debian packages without installing them."""
    environment = os.environ | {'LC_ALL': 'C'}
    command = ['apt-get', 'download', '-qq', *packages]
    for attempt in range(2):
        result = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=600)
        if result.returncode == 0:
            return sorted(place.glob('*.deb'))
        if attempt == 0:
            run(['apt-get', 'update', '-qq'], limit=300)  # Its lists may be missing or old.
    raise ClusterError(f'cannot download {" ".join(packages)}: {result.stderr.strip()}')


def _unpack(archives: list[Path], root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        content = subprocess.Popen(['dpkg-deb', '--fsys-tarfile', archive], stdout=subprocess.PIPE)
        # Packages name /bin and /lib, which are links here.
        unpacked = subprocess.run(['tar', '-x', '--keep-directory-symlink', '-C', root], stdin=content.stdout)
        if content.wait() != 0 or unpacked.returncode != 0:
            raise ClusterError(f'cannot unpack {archive}')
