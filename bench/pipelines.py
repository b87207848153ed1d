"""Pipelines of the measurements."""

from kfp import compiler, dsl


@dsl.component
def add(a: int, b: int) -> int:
    return a + b


@dsl.pipeline(name='chain-of-python-components')
def chain() -> int:
    task = add(a=0, b=1).set_caching_options(False)
    for _ in range(9):
        task = add(a=task.output, b=1).set_caching_options(False)
    return task.output


CHAIN_LENGTH = 10


def compile_chain(path: str) -> None:
    compiler.Compiler().compile(chain, path)


def commands(tasks: int, cache: bool, command: list[str]) -> dict:
    """A chain of tasks that only run a command."""
    dag = {}
    for number in range(tasks):
        key = f'task-{number:05}'
        dag[key] = {
            'componentRef': {'name': 'comp-command'},
            'taskInfo': {'name': key},
            'cachingOptions': {'enableCache': cache},
            'inputs': {'parameters': {'number': {'runtimeValue': {'constant': number}}}},
        }
        if number:
            dag[key]['dependentTasks'] = [f'task-{number - 1:05}']
    return _document_of_commands('chain-of-commands', dag, {}, command)


def loop(items: int, command: list[str]) -> dict:
    """A loop over as many items, with one task that only runs a command."""
    iteration = {
        'dag': {
            'tasks': {
                'work': {
                    'componentRef': {'name': 'comp-command'},
                    'taskInfo': {'name': 'work'},
                    'inputs': {'parameters': {'number': {'componentInputParameter': 'item'}}},
                }
            }
        },
        'inputDefinitions': {
            'parameters': {'items': {'parameterType': 'LIST'}, 'item': {'parameterType': 'NUMBER_INTEGER'}}
        },
    }
    dag = {
        'for-loop-1': {
            'componentRef': {'name': 'comp-for-loop-1'},
            'taskInfo': {'name': 'for-loop-1'},
            'inputs': {'parameters': {'items': {'runtimeValue': {'constant': list(range(items))}}}},
            'parameterIterator': {'items': {'inputParameter': 'items'}, 'itemInput': 'item'},
        }
    }
    return _document_of_commands('loop-of-commands', dag, {'comp-for-loop-1': iteration}, command)


def large_artifact(mebibytes: int) -> dict:
    """A task at rest, one that writes a large artifact, and one that is given it."""
    artifact = {'artifactType': {'schemaTitle': 'system.Artifact', 'schemaVersion': '0.0.1'}}
    given = {'taskOutputArtifact': {'outputArtifactKey': 'data', 'producerTask': 'write'}}
    dag = {
        'rest': _task('comp-rest'),
        'write': {**_task('comp-write'), 'dependentTasks': ['rest']},
        'read': {**_task('comp-read'), 'dependentTasks': ['write'], 'inputs': {'artifacts': {'data': given}}},
    }
    components = {
        'comp-rest': {'executorLabel': 'exec-rest'},
        'comp-write': {'executorLabel': 'exec-write', 'outputDefinitions': {'artifacts': {'data': artifact}}},
        'comp-read': {'executorLabel': 'exec-read', 'inputDefinitions': {'artifacts': {'data': artifact}}},
    }
    write = f'mkdir -p "$(dirname "$0")" && dd if=/dev/urandom of="$0" bs=1M count={mebibytes}'
    executors = {
        'exec-rest': _container(['sleep', '3']),
        'exec-write': _container(['sh', '-c', write, "{{$.outputs.artifacts['data'].path}}"]),
        'exec-read': _container(['sh', '-c', 'wc -c <"$0"', "{{$.inputs.artifacts['data'].path}}"]),
    }
    return _document('large-artifact', dag, components, executors)


def _task(component: str) -> dict:
    return {'componentRef': {'name': component}, 'taskInfo': {'name': component.removeprefix('comp-')},
            'cachingOptions': {}}


def _container(command: list[str]) -> dict:
    return {'container': {'image': 'busybox', 'command': command}}


def _document_of_commands(name: str, dag: dict, components: dict, command: list[str]) -> dict:
    """All tasks that run something run the same command."""
    component = {
        'executorLabel': 'exec-command',
        'inputDefinitions': {'parameters': {'number': {'parameterType': 'NUMBER_INTEGER'}}},
    }
    return _document(name, dag, {'comp-command': component, **components}, {'exec-command': _container(command)})


def _document(name: str, dag: dict, components: dict, executors: dict) -> dict:
    return {
        'schemaVersion': '2.1.0',
        'sdkVersion': 'kfp-2.17.0',
        'pipelineInfo': {'name': name},
        'root': {'dag': {'tasks': dag}},
        'components': components,
        'deploymentSpec': {'executors': executors},
    }
