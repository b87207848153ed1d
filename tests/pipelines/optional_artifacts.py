"""Artifact inputs that may be left out, directly and through a pipeline that was not given one either."""

from typing import NamedTuple, Optional

from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component
def prepare(data: Output[Dataset]):
    with open(data.path, 'w') as file:
        file.write('validation rows')


@dsl.component
def train(epochs: int, validation: Optional[Input[Dataset]] = None) -> str:
    if validation is None:
        return f'{epochs} epochs without validation'
    with open(validation.path) as file:
        return f'{epochs} epochs with {file.read()}'


@dsl.pipeline
def training(epochs: int, validation: Optional[Input[Dataset]] = None) -> str:
    return train(epochs=epochs, validation=validation).output


@dsl.pipeline
def optional_artifacts() -> NamedTuple('Outputs', [('without', str), ('given', str), ('nested_without', str), ('nested_given', str)]):
    data = prepare()
    without = train(epochs=1)
    given = train(epochs=2, validation=data.output)
    nested_without = training(epochs=3)
    nested_given = training(epochs=4, validation=data.output)
    outputs = NamedTuple('Outputs', [('without', str), ('given', str), ('nested_without', str), ('nested_given', str)])
    return outputs(without.output, given.output, nested_without.output, nested_given.output)
