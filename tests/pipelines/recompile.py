"""Recompiles the pipeline sources of this folder and compares them with the committed YAML.

    python recompile.py             compare all; exit 1 on any difference
    python recompile.py NAME...     compare these
    python recompile.py --write     overwrite the committed files with what the installed SDK writes

The comments at the head of a file are not compared: the SDK writes dictionaries there in no fixed order.
A YAML file without a source must say in its first line that it is written by hand.
"""

import argparse
import difflib
import importlib.util
import itertools
import pathlib
import sys
import tempfile
import warnings

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = {'recompile', 'local_compare'}
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
    return list(itertools.dropwhile(lambda line: line.startswith('#'), lines))


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
    print(f'{len(names)} recompiled, {different} different')
    return 1 if different else 0


if __name__ == '__main__':
    sys.exit(main())
