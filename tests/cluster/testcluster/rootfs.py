"""Root file systems of test images, made from Debian's packages and Python's. Nothing is run while they are made but the
new interpreter itself, to compile what will be imported."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from .run import ClusterError, run, run_logged, say
from .settings import REPOSITORY

# The versions that the tests use; the image gets the same.
REQUIREMENTS = REPOSITORY / 'tests/python/requirements.txt'
# What compiled components find installed, and what a notebook component asks for.
PYTHON_PACKAGES = ['kfp', 'pip', 'setuptools', 'typing-extensions', 'nbclient>=0.10,<1', 'ipykernel>=6,<7',
                   'jupyter_client>=7,<9']
# Beside them, what pipelines of Kubeflow's end-to-end suite install, in the versions that they name.
SUITES_PYTHON_PACKAGES = ['yapf', 'requests', 'pandas==2.2.0', 'scikit-learn==1.4.0']
# These come without a wheel.
SOURCE_PACKAGES = ['kfp', 'kfp-server-api']
PLATFORMS = ['manylinux2014_x86_64', 'manylinux_2_28_x86_64']
# What the commands of compiled components call. What these depend on comes too, but for what only a package manager needs.
DEBIAN_PACKAGES = ['python3', 'libstdc++6', 'dash', 'coreutils', 'sed', 'grep', 'findutils', 'tar', 'gzip', 'libc-bin', 'procps',
                   'ca-certificates', 'netbase', 'media-types']
# Beside them, what pipelines of Kubeflow's end-to-end suite call.
SUITES_DEBIAN_PACKAGES = ['python3-venv', 'jq']
LEFT_OUT = ('perl', 'libperl', 'libfile-find-rule-perl', 'libnumber-compare-perl', 'libtext-glob-perl', 'usrmerge', 'dpkg',
            'debconf', 'debianutils', 'init-system-helpers', 'openssl', 'libgdbm', 'libdb5', 'gcc-')
UNUSED = ['usr/share/doc', 'usr/share/man', 'usr/share/locale', 'usr/share/info', 'usr/share/lintian', 'usr/share/bug',
          'usr/share/pixmaps', 'usr/share/applications', 'usr/lib/x86_64-linux-gnu/gconv', 'usr/lib/locale']
USERS = 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n'
GROUPS = 'root:x:0:\nnogroup:x:65534:\n'
DIRECTORIES = {'tmp': 0o1777, 'var/tmp': 0o1777, 'root': 0o755, 'etc': 0o755, 'proc': 0o755, 'sys': 0o755, 'dev': 0o755,
               'run': 0o755, 'usr/bin': 0o755, 'usr/sbin': 0o755, 'usr/lib': 0o755, 'usr/lib64': 0o755}
MERGED = ('bin', 'sbin', 'lib', 'lib64')
DOWNLOAD_LIMIT = 600


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
    say('making the image of busybox')
    _base(root)
    _unpack_packages(root, ['busybox-static'])
    for applet in run(['chroot', root, '/bin/busybox', '--list']).split():
        link = root / 'usr/bin' / applet
        if not link.exists():
            link.symlink_to('busybox')
    _remove_unused(root)


def python(root: Path, directory: Path, more: Sequence[str] = (), more_of_debian: Sequence[str] = ()) -> None:
    """Debian's Python with what compiled components install, so that they install nothing, and with more of both."""
    say(f'making the image of Python{" with " if more else ""}{", ".join(more)}')
    _base(root)
    _unpack_packages(root, [*DEBIAN_PACKAGES, *more_of_debian])
    bundle = root / 'etc/ssl/certs/ca-certificates.crt'
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_bytes(b''.join(path.read_bytes() for path in sorted((root / 'usr/share/ca-certificates').rglob('*.crt'))))
    # Where the library of TLS looks for it; the link would come with the command `openssl`.
    (root / 'usr/lib/ssl').mkdir()
    (root / 'usr/lib/ssl/cert.pem').symlink_to('/etc/ssl/certs/ca-certificates.crt')
    library = next((root / 'usr/lib').glob('python3.*'))
    # The image is a whole environment: pip may install into it.
    (library / 'EXTERNALLY-MANAGED').unlink(missing_ok=True)
    (root / 'usr/bin/python').symlink_to('python3')
    target = root / 'usr/local/lib' / library.name / 'dist-packages'
    _install(target, library.name.removeprefix('python'), directory, [*PYTHON_PACKAGES, *more])
    for name in ('pip', 'pip3'):
        script = root / 'usr/local/bin' / name
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text('#!/bin/sh\nexec python3 -m pip "$@"\n')
        script.chmod(0o755)
    _remove_unused(root)
    # A container that may not write could not keep what it compiles.
    run(['chroot', root, '/usr/bin/python3', '-m', 'compileall', '-q', '--invalidation-mode', 'unchecked-hash',
         f'/usr/lib/{library.name}', f'/usr/local/lib/{library.name}'], limit=300, check=False)


def _install(target: Path, version: str, directory: Path, packages: list[str]) -> None:
    """Installs Python's packages for an interpreter that is not the one at hand."""
    pip = ['python3', '-m', 'pip', '--disable-pip-version-check', '--no-input']
    with tempfile.TemporaryDirectory(dir=directory) as wheels:
        run_logged('building wheels of packages that have none',
                   [*pip, 'wheel', '--no-deps', '--wheel-dir', wheels, '--constraint', REQUIREMENTS, *SOURCE_PACKAGES],
                   directory / 'wheels.log', limit=DOWNLOAD_LIMIT)
        platforms = [word for platform in PLATFORMS for word in ('--platform', platform)]
        run_logged(f'installing {" ".join(packages)}',
                   [*pip, 'install', '--target', target, '--python-version', version, '--implementation', 'cp', *platforms,
                    '--only-binary=:all:', '--no-compile', '--find-links', wheels, '--constraint', REQUIREMENTS,
                    *packages], directory / 'install.log', limit=DOWNLOAD_LIMIT)
    # Scripts name the interpreter that installed them; the other is for an editor.
    for name in ('bin', 'jedi/third_party'):
        shutil.rmtree(target / name, ignore_errors=True)


def _base(root: Path) -> None:
    for name, mode in DIRECTORIES.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name).chmod(mode)
    for name in MERGED:
        (root / name).symlink_to(f'usr/{name}')
    (root / 'etc/passwd').write_text(USERS)
    (root / 'etc/group').write_text(GROUPS)


def _remove_unused(root: Path) -> None:
    for name in UNUSED:
        shutil.rmtree(root / name, ignore_errors=True)


def _unpack_packages(root: Path, packages: list[str]) -> None:
    """Unpacks Debian packages and what they depend on. None of their scripts is run."""
    with tempfile.TemporaryDirectory() as place:
        for archive in _download(packages, Path(place)):
            if archive.name.startswith(LEFT_OUT):
                continue
            content = subprocess.Popen(['dpkg-deb', '--fsys-tarfile', archive], stdout=subprocess.PIPE)
            # Packages hold /bin and /lib, which are links here.
            unpacked = subprocess.run(['tar', '-x', '--keep-directory-symlink', '-C', root], stdin=content.stdout)
            if content.wait() != 0 or unpacked.returncode != 0:
                raise ClusterError(f'cannot unpack {archive}')


def _download(packages: list[str], place: Path) -> list[Path]:
    """Fetches Debian packages as if for a machine that has none."""
    archives, installed = place / 'archives', place / 'status'
    (archives / 'partial').mkdir(parents=True)
    installed.touch()
    command = ['apt-get', '-o', f'Dir::State::status={installed}', '-o', f'Dir::Cache::archives={archives}',
               '-o', 'APT::Sandbox::User=root', '-o', 'Debug::NoLocking=1', '--download-only', '-qq', '-y',
               '--no-install-recommends', 'install', *packages]
    for attempt in range(2):
        result = subprocess.run(command, env=os.environ | {'LC_ALL': 'C'}, stdin=subprocess.DEVNULL, capture_output=True,
                                text=True, timeout=DOWNLOAD_LIMIT)
        if result.returncode == 0:
            return sorted(archives.glob('*.deb'))
        if attempt == 0:
            run(['apt-get', 'update', '-qq'], limit=300)  # The lists may be missing or old.
    raise ClusterError(f'cannot download the Debian packages {" ".join(packages)}: {result.stderr.strip()}')
