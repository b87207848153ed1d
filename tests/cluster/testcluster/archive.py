"""Packs a directory into an image archive (`docker save` form), without a container engine. The same input gives the
same bytes."""

import dataclasses
import hashlib
import io
import json
import os
import stat
import tarfile
import tempfile
from pathlib import Path
from typing import BinaryIO

EPOCH = '1970-01-01T00:00:00Z'
CHUNK = 1 << 20


@dataclasses.dataclass(frozen=True)
class ImageConfig:
    """What a container of the image starts with."""

    names: tuple[str, ...]
    user: str = ''
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[str, ...] = ('PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',)
    directory: str = '/'

    def document(self, layer: str) -> bytes:
        """The image's configuration, for one layer with this digest."""
        config: dict[str, object] = {'Env': list(self.environment), 'WorkingDir': self.directory}
        if self.user:
            config['User'] = self.user
        if self.entrypoint:
            config['Entrypoint'] = list(self.entrypoint)
        if self.command:
            config['Cmd'] = list(self.command)
        return json.dumps({'architecture': 'amd64', 'os': 'linux', 'created': EPOCH, 'config': config,
                           'rootfs': {'type': 'layers', 'diff_ids': [f'sha256:{layer}']},
                           'history': [{'created': EPOCH, 'created_by': 'pack-image'}]}, sort_keys=True).encode()


def pack(root: Path, config: ImageConfig, output: Path) -> None:
    """Writes the archive of an image with one layer: everything below `root`, owned by root."""
    if not root.is_dir():
        raise NotADirectoryError(f'cannot pack {root}: it is no directory')
    unfinished = output.with_name(output.name + '.unfinished')
    with tempfile.TemporaryFile(dir=output.parent) as layer:
        _write_layer(root, layer)
        digest = _digest(layer)
        document = config.document(digest)
        name = hashlib.sha256(document).hexdigest()
        manifest = [{'Config': f'{name}.json', 'RepoTags': list(config.names), 'Layers': [f'{digest}/layer.tar']}]
        with tarfile.open(unfinished, 'w', format=tarfile.PAX_FORMAT) as archive:
            _add(archive, f'{name}.json', io.BytesIO(document))
            _add(archive, f'{digest}/layer.tar', layer)
            _add(archive, 'manifest.json', io.BytesIO(json.dumps(manifest).encode()))
    unfinished.replace(output)


def _add(archive: tarfile.TarFile, name: str, content: BinaryIO) -> None:
    content.seek(0, os.SEEK_END)
    member = tarfile.TarInfo(name)
    member.size, member.mode = content.tell(), 0o644
    content.seek(0)
    archive.addfile(member, content)


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _write_layer(root: Path, output: BinaryIO) -> None:
    """In the order of names, with no times and no owners but root. Files with two names stay one file."""
    seen: dict[tuple[int, int], str] = {}
    with tarfile.open(fileobj=output, mode='w', format=tarfile.PAX_FORMAT) as layer:
        for path in sorted(root.rglob('*')):
            status = path.lstat()
            if stat.S_ISSOCK(status.st_mode):
                continue
            member = tarfile.TarInfo(str(path.relative_to(root)))
            member.mode = stat.S_IMODE(status.st_mode)
            if stat.S_ISDIR(status.st_mode):
                member.type = tarfile.DIRTYPE
                layer.addfile(member)
            elif stat.S_ISLNK(status.st_mode):
                member.type, member.linkname, member.mode = tarfile.SYMTYPE, os.readlink(path), 0o777
                layer.addfile(member)
            elif stat.S_ISREG(status.st_mode):
                first = seen.setdefault((status.st_dev, status.st_ino), member.name)
                if first != member.name:
                    member.type, member.linkname = tarfile.LNKTYPE, first
                    layer.addfile(member)
                    continue
                member.size = status.st_size
                with path.open('rb') as file:
                    layer.addfile(member, file)
            else:
                raise OSError(f'cannot pack {path}: it is neither a file, a directory nor a link')
