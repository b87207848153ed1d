"""Contents of artifacts: files, bytes, directories, a path of one's own, `get_uri`, returned ones, and none at all."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Model, Output


@dsl.component
def write(
    text: Output[Dataset],
    binary: Output[Artifact],
    tree: Output[Model],
    own_path: Output[Dataset],
    empty: Output[Dataset],
    missing: Output[Dataset],
):
    import os
    import tempfile
    with open(text.path, 'w') as file:
        file.write('naïve text\n')
    with open(binary.path, 'wb') as file:
        file.write(bytes(range(256)) * 8192)
    os.makedirs(os.path.join(tree.path, 'layers', '0'))
    for name in ['config.json', 'layers/0/weights.bin', 'layers/it\'s a name with ünusual & spaces']:
        with open(os.path.join(tree.path, name), 'w') as file:
            file.write(name)
    own_path.set_path(os.path.join(tempfile.mkdtemp(prefix='artifacts-'), 'rows.csv'))
    with open(own_path.path, 'w') as file:
        file.write('kept elsewhere')
    with open(empty.path, 'w'):
        pass
    missing.metadata['rows'] = 0


@dsl.component
def returned(text: str) -> Dataset:
    data = Dataset(uri=dsl.get_uri(), metadata={'length': len(text), 'tags': ['a', {'b': None}], 'kept': True})
    with open(data.path, 'w') as file:
        file.write(text)
    return data


@dsl.component
def returned_twice() -> NamedTuple('Models', [('small', Model), ('large', Model), ('best', str)]):
    from typing import NamedTuple
    models = []
    for name in ('small', 'large'):
        model = Model(uri=dsl.get_uri(suffix=name), metadata={'framework': name})
        with open(model.path, 'w') as file:
            file.write(f'{name} model')
        models.append(model)
    return NamedTuple('Models', [('small', Model), ('large', Model), ('best', str)])(*models, 'large')


@dsl.component
def check(
    text: Input[Dataset],
    binary: Input[Artifact],
    tree: Input[Model],
    own_path: Input[Dataset],
    empty: Input[Dataset],
    missing: Input[Dataset],
    back: Input[Dataset],
    small: Input[Model],
    large: Input[Model],
) -> str:
    import os
    with open(text.path) as file:
        assert file.read() == 'naïve text\n'
    with open(binary.path, 'rb') as file:
        assert file.read() == bytes(range(256)) * 8192
    found = {}
    for directory, _, names in os.walk(tree.path):
        for name in names:
            path = os.path.join(directory, name)
            with open(path) as file:
                found[os.path.relpath(path, tree.path)] = file.read()
    assert len(found) == 3 and all(name == content for name, content in found.items()), found
    with open(own_path.path) as file:
        assert file.read() == 'kept elsewhere'
    assert os.path.getsize(empty.path) == 0
    assert not os.path.exists(missing.path)
    assert missing.metadata['rows'] == 0, missing.metadata
    with open(back.path) as file:
        assert file.read() == 'returned rows'
    assert back.metadata == {'length': 13, 'tags': ['a', {'b': None}], 'kept': True}, back.metadata
    for model in (small, large):
        with open(model.path) as file:
            assert file.read() == f'{model.framework} model'
    return 'ok'


@dsl.pipeline
def artifacts() -> NamedTuple('Outputs', [('check', str), ('back', Dataset), ('text', Dataset)]):
    written = write()
    back = returned(text='returned rows')
    models = returned_twice()
    names = ['text', 'binary', 'tree', 'own_path', 'empty', 'missing']
    checked = check(
        **{name: written.outputs[name] for name in names},
        back=back.output,
        small=models.outputs['small'],
        large=models.outputs['large'],
    )
    outputs = NamedTuple('Outputs', [('check', str), ('back', Dataset), ('text', Dataset)])
    return outputs(checked.output, back.output, written.outputs['text'])
