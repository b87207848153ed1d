"""Artifacts from elsewhere: by a constant URI, by one that a task returns, with metadata made of values."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Model


@dsl.component
def store(text: str) -> str:
    """Leaves a file outside of the run and returns where."""
    import os
    import tempfile
    path = os.path.join(tempfile.mkdtemp(prefix='importer-'), 'rows.csv')
    with open(path, 'w') as file:
        file.write(text)
    return f'file://{path}'


@dsl.component
def read(data: Input[Dataset]) -> str:
    with open(data.path) as file:
        return file.read()


@dsl.component
def check(model: Input[Model], name: str) -> str:
    expected = {
        'name': name,
        'list': [name, 'fixed', f'{name}-3'],
        name: 'as a key',
        'nested': {'count': '3', 'deep': [{'name': f'<{name}>'}]},
        'number': 0.5,
        'framework': 'trees',
    }
    assert dict(model.metadata) == expected, model.metadata
    assert model.uri == 'https://models.example/trees/1', model.uri
    return model.framework


@dsl.pipeline
def importer(name: str = 'it\'s "new"', count: int = 3) -> NamedTuple('Outputs', [('text', str), ('framework', str)]):
    stored = store(text='imported rows').set_caching_options(False)
    rows = dsl.importer(artifact_uri=stored.output, artifact_class=Dataset, reimport=True)
    model = dsl.importer(
        artifact_uri='https://models.example/trees/1',
        artifact_class=Model,
        reimport=False,
        metadata={
            'name': name,
            'list': [name, 'fixed', f'{name}-{count}'],
            name: 'as a key',
            'nested': {'count': count, 'deep': [{'name': f'<{name}>'}]},
            'number': 0.5,
            'framework': 'trees',
        })
    outputs = NamedTuple('Outputs', [('text', str), ('framework', str)])
    return outputs(read(data=rows.output).output, check(model=model.output, name=name).output)
