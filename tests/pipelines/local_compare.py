"""Runs pipelines of this folder with the SDK's own local runner, as a second opinion on their outputs.

    python local_compare.py NAME [-p key=value]...   prints {"outputs": {...}} as the last line
    python local_compare.py --all                    lists the pipelines that kfp.local supports
    python local_compare.py --verify [NAME...]       runs them and compares with NAME.expected.json

Parameters are printed by value, artifacts as {"metadata": ..., "content": text of a small file}.
"""

import argparse
import contextlib
import json
import logging
import os
import pathlib
import re
import sys
import tempfile
import warnings

from recompile import HERE, load_pipeline

SMALL = 64 * 1024


def expectations():
    """The expectation files by case: `NAME` or `NAME.CASE`."""
    suffix = '.expected.json'
    return {path.name.removesuffix(suffix): json.loads(path.read_text()) for path in sorted(HERE.glob(f'*{suffix}'))}


def plain(value):
    from kfp.dsl import Artifact
    if isinstance(value, Artifact):
        path = pathlib.Path(value.path) if value.path else None
        small = path and path.is_file() and path.stat().st_size <= SMALL
        return {'metadata': plain(value.metadata), 'content': path.read_text(errors='replace') if small else None}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    # The local runner keeps numbers as it finds them: 2.0 and 2 are the same value.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def parse_parameters(texts, pipeline):
    inputs = pipeline.component_spec.inputs or {}
    parameters = {}
    for text in texts:
        name, _, value = text.partition('=')
        kind = inputs[name].type if name in inputs else 'String'
        parameters[name] = value if kind == 'String' else json.loads(value)
    return parameters


def load(name):
    from kfp import components
    if (HERE / f'{name}.py').exists():
        return load_pipeline(name)
    return components.load_component_from_file(str(HERE / f'{name}.yaml'))


def run(name, texts):
    """Outputs of one run; everything that the runner and the tasks print goes to stderr."""
    from kfp import local
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix='local-compare-') as root, warnings.catch_warnings(), \
            contextlib.redirect_stdout(sys.stderr):
        warnings.simplefilter('ignore')
        # Tasks start `python3` and `pip` by name.
        os.environ['PATH'] = f'{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
        local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=root, raise_on_error=True)
        pipeline = load(name)
        task = pipeline(**parse_parameters(texts, pipeline))
        return plain(dict(task.outputs))


def parameters_of(expected):
    arguments = iter(expected.get('args', []))
    return [next(arguments) for argument in arguments if argument == '-p']


def verify(names):
    wrong = 0
    for case, expected in expectations().items():
        name = case.split('.')[0]
        if not expected['kfp_local'] or (names and name not in names and case not in names):
            continue
        try:
            outputs = run(name, parameters_of(expected))
        except Exception as error:
            print(f'{case}: kfp.local failed: {re.sub(chr(27) + r".[0-9;]*m", "", str(error))}')
            wrong += 1
            continue
        wanted = plain({**expected.get('outputs', {}), **expected.get('output_artifacts', {})})
        same = outputs.keys() == wanted.keys() and all(matches(wanted[key], outputs[key]) for key in wanted)
        print(f'{case}: {"same" if same else "different"}')
        if not same:
            wrong += 1
            print(f'  expected {json.dumps(wanted, sort_keys=True)}\n  kfp.local {json.dumps(outputs, sort_keys=True)}')
    return wrong


def matches(wanted, seen):
    """An expected artifact may leave out what does not matter."""
    if isinstance(wanted, dict) and isinstance(seen, dict) and {'metadata', 'content'} == seen.keys():
        return all(seen.get(key) == value for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(seen, list):
        return len(wanted) == len(seen) and all(map(matches, wanted, seen))
    return wanted == seen and type(wanted) is type(seen)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('names', nargs='*', metavar='NAME')
    parser.add_argument('-p', dest='parameters', action='append', default=[], metavar='KEY=VALUE')
    parser.add_argument('--all', action='store_true')
    parser.add_argument('--verify', action='store_true')
    arguments = parser.parse_args()
    if arguments.all:
        print('\n'.join(case for case, expected in expectations().items() if expected['kfp_local']))
        return 0
    if arguments.verify:
        return 1 if verify(arguments.names) else 0
    for name in arguments.names:
        print(json.dumps({'outputs': run(name, arguments.parameters)}, sort_keys=True))
    return 0


if __name__ == '__main__':
    sys.exit(main())
