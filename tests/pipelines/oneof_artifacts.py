"""The output of whichever branch ran, as an artifact."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import Input, Model, Output


@dsl.component
def train_linear(model: Output[Model]):
    with open(model.path, 'w') as file:
        file.write('linear')
    model.metadata['framework'] = 'none'


@dsl.component
def train_trees(model: Output[Model]):
    with open(model.path, 'w') as file:
        file.write('trees')
    model.metadata['framework'] = 'forest'


@dsl.component
def describe(model: Input[Model]) -> str:
    with open(model.path) as file:
        return f'{file.read()} by {model.framework}'


@dsl.pipeline
def oneof_artifacts(kind: str = 'trees') -> NamedTuple('Outputs', [('text', str), ('model', Model)]):
    with dsl.If(kind == 'linear'):
        linear = train_linear()
    with dsl.Else():
        trees = train_trees()
    model = dsl.OneOf(linear.outputs['model'], trees.outputs['model'])
    return NamedTuple('Outputs', [('text', str), ('model', Model)])(describe(model=model).output, model)
