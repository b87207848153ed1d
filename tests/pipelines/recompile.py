"""Recompiles the pipeline sources of this folder and compares them with the committed YAML.

    python recompile.py             compare all, and look for tasks and outputs that expectations misname;
                                    exit 1 on any difference
    python recompile.py NAME...     compare these
    python recompile.py --write     overwrite the committed files with what the installed SDK writes

The comments at the head of a file are not compared: the SDK writes dictionaries there in no fixed order.
A YAML file without a source must say in its first line that it is written by hand.
"""

import argparse
import base64
import difflib
import importlib.util
import io
import itertools
import json
import pathlib
import re
import sys
import tarfile
import tempfile
import warnings

import yaml

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = {'recompile', 'local_compare'}
# YAML breaks long lines with a backslash and indentation.
ARCHIVE = re.compile(r"__KFP_EMBEDDED_ARCHIVE_B64 = '((?:[A-Za-z0-9+/=]|\\\n\s*\\?)+)'")
BY_HAND = '# Written by hand'


def source_names():
    return sorted(path.stem for path in HERE.glob('*.py') if path.stem not in TOOLS)


def load_pipeline(name):
    """The pipeline or component of a source file has the name of the file."""
    spec = importlib.util.spec_from_file_location(name, HERE / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    # Components find their source text through this table.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return getattr(module, name)


def compile_to(name, path):
    from kfp import compiler
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        compiler.Compiler().compile(load_pipeline(name), str(path))


def body(path):
    lines = path.read_text().splitlines(keepends=True)
    lines = itertools.dropwhile(lambda line: line.startswith('#'), lines)
    return ARCHIVE.sub(archive_content, ''.join(lines)).splitlines(keepends=True)


def archive_content(match):
    """What an embedded archive holds, without the owners and times that each compilation writes anew."""
    data = base64.b64decode(re.sub(r'[^A-Za-z0-9+/=]', '', match[1]))
    with tarfile.open(fileobj=io.BytesIO(data), mode='r:gz') as archive:
        return repr({
            member.name: archive.extractfile(member).read() if member.isfile() else None
            for member in sorted(archive.getmembers(), key=lambda member: member.name)
        })


def difference(name, directory):
    fresh = directory / f'{name}.yaml'
    compile_to(name, fresh)
    committed = HERE / f'{name}.yaml'
    if not committed.exists():
        return f'{name}.yaml is missing: write it with `python recompile.py --write {name}`\n'
    return ''.join(
        difflib.unified_diff(
            body(committed),
            body(fresh),
            fromfile=f'{name}.yaml (committed)',
            tofile=f'{name}.yaml (recompiled)',
        ))


def orphans():
    """YAML files that have no source and do not say why."""
    for path in sorted(HERE.glob('*.yaml')):
        if not path.with_suffix('.py').exists() and not path.read_text().startswith(BY_HAND):
            yield path.name


def task_names(document, component, path=()):
    """Paths of all tasks below a component, without the numbers of iterations."""
    for key, task in component.get('dag', {}).get('tasks', {}).items():
        yield '/'.join(path + (key,))
        yield from task_names(document, document['components'][task['componentRef']['name']], path + (key,))


def misnamed():
    """Expectations that name tasks or outputs which the compiled pipeline does not have."""
    for path in sorted(HERE.glob('*.expected.json')):
        expected = json.loads(path.read_text())
        package = HERE / f'{path.name.split(".")[0]}.yaml'
        document = next(yaml.safe_load_all(package.read_text()))
        tasks = set(task_names(document, document['root']))
        for name in expected['tasks']:
            if re.sub(r'\[\d+\]', '', name) not in tasks:
                yield f'{path.name} expects a task {name!r} that {package.name} does not have'
        if expected['state'] == 'SUCCEEDED':
            definitions = document['root'].get('outputDefinitions', {})
            for kind, key in [('parameters', 'outputs'), ('artifacts', 'output_artifacts')]:
                wanted, defined = set(expected.get(key, {})), set(definitions.get(kind, {}))
                if wanted - defined or (kind == 'parameters' and wanted != defined):
                    yield f'{path.name} expects the output {kind} {sorted(wanted)}, but {package.name} has {sorted(defined)}'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', metavar='NAME')
    parser.add_argument('--write', action='store_true')
    arguments = parser.parse_args()
    names = arguments.names or source_names()
    if arguments.write:
        for name in names:
            compile_to(name, HERE / f'{name}.yaml')
        print(f'{len(names)} written')
        return 0
    different = 0
    with tempfile.TemporaryDirectory() as directory:
        for name in names:
            text = difference(name, pathlib.Path(directory))
            if text:
                different += 1
                print(text)
    for name in orphans():
        different += 1
        print(f'{name} has no source, and its first line does not start with {BY_HAND!r}')
    for problem in misnamed():
        different += 1
        print(problem)
    print(f'{len(names)} recompiled, {different} different')
    return 1 if different else 0


if __name__ == '__main__':
    sys.exit(main())
