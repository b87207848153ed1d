"""Runs the API suites of kubeflow/pipelines, and writes down what became of each case: against `penstock up`, or against an API
that is served already, of a Penstock on Kubernetes.

    python tests/conformance/api_suites.py --kfp DIR --penstock target/debug/penstock
    tests/cluster/around tests/conformance/on-cluster python tests/conformance/api_suites.py --kfp DIR --suite end2end

DIR is a clone of kubeflow/pipelines; the suites are compiled from a copy of it. Each failed case must be explained by a line
of api_differences.json; one that is not makes this end with 1. Suites may be run one at a time: what became of the others is kept
beside the copy, and the page shows the newest of each.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import dataclasses
import http.client
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import api_page
from api_page import Case

# The integration suite knows no other.
PORT = 8888
SUITE_LIMIT = 3 * 3600
HERE = os.path.dirname(os.path.abspath(__file__))
ARGO = 'github.com/argoproj/argo-workflows/v4'


@dataclasses.dataclass(frozen=True)
class Suite:
    """A folder of tests; those of ginkgo say more than those of Go's own runner, and have a report."""

    name: str
    folder: str
    arguments: tuple[str, ...] = ()
    # Where one of ginkgo writes what became of its cases; it chooses that itself.
    report: str = ''
    # By these labels it is run. A server of its own is started again before each part, over what there is; one that is
    # served already is asked by all parts at once.
    parts: tuple[str, ...] = ('',)


SUITES = (
    Suite('v2/api', 'backend/test/v2/api', report='reports/api.json',
          parts=('!UpgradePreparation && !UpgradeVerification', 'UpgradePreparation', 'UpgradeVerification')),
    Suite('v2/integration', 'backend/test/v2/integration', ('-runIntegrationTests=true',)),
    Suite('end2end', 'backend/test/end2end', report='reports/e2e.json',
          parts=('E2EEssential', 'E2ECritical', 'E2EParallelNested', 'E2EFailure')),
)


@dataclasses.dataclass(frozen=True)
class Api:
    """Where the API is, and the namespace that its tasks are in."""

    url: str = f'http://localhost:{PORT}'
    namespace: str = 'kubeflow'


def progress(text: str) -> None:
    print(f'conformance: {text}', file=sys.stderr, flush=True)


def prepare(source: str, work: str, argo: str, sdk: str) -> tuple[str, str]:
    """A copy to compile in, and its commit."""
    commit = subprocess.run(['git', '-C', source, 'rev-parse', 'HEAD'], capture_output=True, text=True, check=True,
                            timeout=60).stdout.strip()
    copy = os.path.join(work, f'pipelines-{commit[:12]}')
    if not os.path.exists(copy):
        subprocess.run(['git', 'clone', '--quiet', '--shared', source, copy], check=True, timeout=600)
    if argo:
        subprocess.run(['go', 'mod', 'edit', f'-require={ARGO}@{argo}'], cwd=copy, check=True, timeout=60)
    _pin_sdk(copy, sdk)
    return copy, commit


def _pin_sdk(copy: str, sdk: str) -> None:
    """What a sample installs is replaced by the suite with the SDK of a branch of github.com; here by a release."""
    path = os.path.join(copy, 'backend/test/testutil/test_utils.go')
    with open(path) as file:
        text = file.read()
    pinned, count = re.subn(r'(newPackagePath := )(getPackagePath\("sdk/python"\)|"kfp==.*")', rf'\g<1>"kfp=={sdk}"', text)
    if count != 1:
        sys.exit(f'error: {path} does not say any more where the SDK comes from; is this another commit?')
    if pinned != text:
        with open(path, 'w') as file:
            file.write(pinned)


def compile_suite(suite: Suite, copy: str) -> str:
    progress(f'compiling {suite.name}')
    program = os.path.join(copy, suite.folder, 'suite.test')
    environment = {**os.environ, 'GOFLAGS': '-mod=mod -buildvcs=false'}
    subprocess.run(['go', 'test', '-c', '-o', program, '.'], cwd=os.path.join(copy, suite.folder), env=environment,
                   check=True, timeout=3600)
    return program


class AcceptsAll(http.server.BaseHTTPRequestHandler):
    """In place of a cluster: the end-to-end suite makes Secrets before each case, which nothing here needs."""

    def _answer(self) -> None:
        length = int(self.headers.get('Content-Length', 0))
        body = self.rfile.read(length) or b'{}'
        self.send_response(200)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _answer

    def log_message(self, *_) -> None:
        pass


@contextlib.contextmanager
def kubeconfig(directory: str):
    """The caller's, or one that leads to a server that accepts everything."""
    given = os.environ.get('KUBECONFIG')
    if given:
        yield given
        return
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), AcceptsAll)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    path = os.path.join(directory, 'kubeconfig')
    address = f'http://127.0.0.1:{server.server_address[1]}'
    with open(path, 'w') as file:
        json.dump({'apiVersion': 'v1', 'kind': 'Config', 'current-context': 'none', 'users': [{'name': 'none', 'user': {}}],
                   'clusters': [{'name': 'none', 'cluster': {'server': address}}],
                   'contexts': [{'name': 'none', 'context': {'cluster': 'none', 'user': 'none'}}]}, file)
    try:
        yield path
    finally:
        server.shutdown()


@contextlib.contextmanager
def penstock(binary: str, python: str, directory: str):
    """`penstock up` on a directory."""
    environment = {**os.environ, 'PENSTOCK_DATA_DIR': os.path.join(directory, 'data'), 'PENSTOCK_PYTHON': python}
    with open(os.path.join(directory, 'penstock.log'), 'ab') as log:
        process = subprocess.Popen([os.path.abspath(binary), 'up', '--listen', f'127.0.0.1:{PORT}', '--host-commands'],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        try:
            _await_health(process)
            yield
        finally:
            process.terminate()
            process.wait(60)


def _await_health(process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection('127.0.0.1', PORT, timeout=5)
            connection.request('GET', '/apis/v2beta1/healthz')
            if connection.getresponse().status == 200:
                return
        time.sleep(0.2)
    sys.exit(f'error: penstock up does not serve 127.0.0.1:{PORT}; is the port taken?')


def run_part(suite: Suite, copy: str, api: Api, config: str, labels: str, only: str) -> list[Case]:
    progress(f'running {suite.name}{labels and ": "}{labels}')
    program = os.path.join(copy, suite.folder, 'suite.test')
    # Beside its folder, from where it finds its files as well; parts may be run at once.
    folder = os.path.join(copy, f'{suite.folder}-{suite.parts.index(labels)}')
    os.makedirs(folder, exist_ok=True)
    arguments = [program, '-test.timeout=0', f'-apiUrl={api.url}', f'-namespace={api.namespace}',
                 *suite.arguments]
    report = os.path.join(folder, suite.report)
    if suite.report:
        with contextlib.suppress(FileNotFoundError):
            os.remove(report)
        arguments += ['-ginkgo.timeout=3h', f'-ginkgo.label-filter={labels}', *([f'-ginkgo.focus={only}'] if only else [])]
    else:
        arguments += ['-test.v', *([f'-test.run={only}'] if only else [])]
    with open(os.path.join(folder, 'output.txt'), 'w+') as output:
        subprocess.run(arguments, cwd=folder, env={**os.environ, 'KUBECONFIG': config}, stdin=subprocess.DEVNULL,
                       stdout=output, stderr=subprocess.STDOUT, timeout=SUITE_LIMIT, check=False)
        output.seek(0)
        text = output.read()
    if not suite.report:
        return of_go(suite, text)
    if not os.path.exists(report):
        sys.exit(f'error: {suite.name} wrote no report: {text[-2000:]}')
    return of_ginkgo(suite, report)


def of_ginkgo(suite: Suite, path: str) -> list[Case]:
    with open(path) as file:
        reports = json.load(file)
    cases = []
    for spec in (spec for report in reports for spec in report['SpecReports'] or []):
        # What the label filter leaves out was never meant.
        if spec['LeafNodeType'] != 'It' or spec['State'] == 'skipped' and not spec.get('Failure'):
            continue
        groups = spec['ContainerHierarchyTexts'] or ['']
        state = {'passed': 'passed', 'skipped': 'skipped', 'pending': 'pending'}.get(spec['State'], 'failed')
        message = (spec.get('Failure') or {}).get('Message', '')
        cases.append(Case(suite.name, groups[0].strip(' >'), ' '.join([*groups, spec['LeafNodeText']]), state, message))
    return cases


def of_go(suite: Suite, text: str) -> list[Case]:
    """Cases that have none below them; what a test printed before its result is its message."""
    found = re.findall(r'^\s*--- (PASS|FAIL|SKIP): (\S+)', text, re.MULTILINE)
    names = {name for _, name in found}
    words = {'PASS': 'passed', 'FAIL': 'failed', 'SKIP': 'skipped'}
    cases = []
    for word, name in found:
        if any(other.startswith(f'{name}/') for other in names):
            continue
        errors = re.findall(r'Error:\s+(.*)', text[:text.find(f': {name} (')])
        cases.append(Case(suite.name, name.split('/')[0], name, words[word], errors[-1] if word == 'FAIL' and errors else ''))
    return cases


def penstock_of_cluster() -> str:
    """What answers there, for the page."""
    kubectl = os.environ.get('PENSTOCK_TEST_KUBECTL') or 'kubectl'
    version = json.loads(subprocess.run([kubectl, 'version', '-o', 'json'], capture_output=True, text=True, check=True,
                                        timeout=60).stdout)['serverVersion']['gitVersion']
    return f'`penstock serve` as `manifests/` installs it, on Kubernetes {version}'


def checkout() -> str:
    """The commit that is tested."""
    def git(*words: str) -> str:
        return subprocess.run(['git', '-C', HERE, *words], capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    changed = ' with changes' if git('status', '--porcelain', '--untracked-files=no', '--', '.', ':!docs') else ''
    return f'`{git("rev-parse", "--short=12", "HEAD")}`{changed}'


def run_suite(suite: Suite, copy: str, arguments: argparse.Namespace) -> list[Case]:
    with tempfile.TemporaryDirectory() as directory, kubeconfig(directory) as config:
        def run(labels: str) -> list[Case]:
            if arguments.at:
                return run_part(suite, copy, Api(arguments.at, arguments.namespace), config, labels, arguments.only)
            with penstock(arguments.penstock, arguments.python, directory):
                return run_part(suite, copy, Api(), config, labels, arguments.only)

        # There is one `penstock up` at a time. A cluster is not bound by one client that waits.
        with concurrent.futures.ThreadPoolExecutor(len(suite.parts) if arguments.at else 1) as pool:
            parts = list(pool.map(run, suite.parts))
    # Each part tells all that are empty.
    return [case for index, part in enumerate(parts) for case in part if case.state != 'pending' or index == 0]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--kfp', required=True, metavar='DIR', help='clone of kubeflow/pipelines')
    parser.add_argument('--penstock', help='the binary that is started')
    parser.add_argument('--at', default=os.environ.get('PENSTOCK_TEST_API', ''), metavar='URL',
                        help='an API that is served already, instead of --penstock; KUBECONFIG leads to its cluster '
                             '(PENSTOCK_TEST_API)')
    parser.add_argument('--namespace', default=os.environ.get('PENSTOCK_TEST_NAMESPACE', 'kubeflow'),
                        help='where its tasks are (PENSTOCK_TEST_NAMESPACE)')
    parser.add_argument('--python', default=sys.executable, help='interpreter for tasks; it has kfp')
    parser.add_argument('--work', required=True, metavar='DIR', help='where the copy is compiled; it can stay')
    parser.add_argument('--argo', default='', metavar='VERSION', help=f'other version of {ARGO}, where theirs cannot be had')
    parser.add_argument('--suite', action='append', choices=[suite.name for suite in SUITES], help='only these')
    parser.add_argument('--only', default='', metavar='REGEX', help='only cases whose name matches')
    parser.add_argument('--write', metavar='FILE')
    arguments = parser.parse_args()
    if not shutil.which('go'):
        sys.exit('error: the suites are Go programs: install Go 1.26 or newer')
    if not arguments.at and not arguments.penstock:
        sys.exit('error: say what is asked: --penstock BINARY, or --at URL')
    return arguments


def main() -> None:
    arguments = parse()
    os.makedirs(arguments.work, exist_ok=True)
    python, sdk = subprocess.run(
        [arguments.python, '-c', 'import platform, kfp; print(platform.python_version(), kfp.__version__)'],
        capture_output=True, text=True, check=True, timeout=60).stdout.split()
    copy, commit = prepare(os.path.abspath(arguments.kfp), os.path.abspath(arguments.work), arguments.argo, sdk)
    place = api_page.KUBERNETES if arguments.at else api_page.MACHINE
    against = penstock_of_cluster() if arguments.at else f'`penstock up --host-commands` with Python {python}'
    against += f', Penstock at {checkout()}'
    suites = [suite for suite in SUITES if not arguments.suite or suite.name in arguments.suite]
    for suite in suites:
        compile_suite(suite, copy)
    cases: list[Case] = []
    for suite in suites:
        of_suite = run_suite(suite, copy, arguments)
        cases += of_suite
        if not arguments.only:
            api_page.keep(place, os.path.join(copy, suite.folder), against, of_suite)
    folders = {suite.name: os.path.join(copy, suite.folder) for suite in SUITES}
    with_argo = f', with {ARGO} {arguments.argo} in place of the one that it names' if arguments.argo else ''
    text = api_page.page(place, api_page.kept(place, folders), f'`{commit}`{with_argo}', sdk)
    print(text)
    if arguments.write:
        api_page.write(arguments.write, place, text)
    unexplained = [case for case in cases if case.state == 'failed' and not place.explanation(case)]
    for case in unexplained:
        progress(f'not explained: {case.suite} {case.name}: {case.message[:500]}')
    for part in place.outdated(cases):
        progress(f'{part!r} passes, and api_differences.json says why it fails')
    states = collections.Counter(case.state for case in cases)
    print(f'conformance: {states["passed"]} passed, {states["failed"]} failed ({len(unexplained)} not explained)')
    sys.exit(1 if unexplained or not cases else 0)


if __name__ == '__main__':
    main()
