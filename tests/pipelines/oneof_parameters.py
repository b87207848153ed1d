"""The output of whichever branch ran, as a parameter: consumed, and returned by pipelines at two levels."""

from typing import NamedTuple

from kfp import dsl


@dsl.component
def rows_of(size: str) -> int:
    return {'small': 10, 'medium': 1000, 'large': 100000}[size]


@dsl.component
def train_linear(rows: int) -> str:
    return f'linear({rows})'


@dsl.component
def train_trees(rows: int) -> str:
    return f'trees({rows})'


@dsl.component
def evaluate(model: str) -> str:
    return f'{model} evaluated'


@dsl.pipeline
def train(size: str) -> str:
    rows = rows_of(size=size)
    with dsl.If(rows.output < 100):
        linear = train_linear(rows=rows.output)
    with dsl.Elif(rows.output < 10000):
        trees = train_trees(rows=rows.output)
    with dsl.Else():
        with dsl.If(size == 'large'):
            sampled = train_linear(rows=100)
        with dsl.Else():
            other = train_trees(rows=0)
        deep = evaluate(model=dsl.OneOf(sampled.output, other.output))
    return dsl.OneOf(linear.output, trees.output, deep.output)


@dsl.pipeline
def oneof_parameters() -> NamedTuple('Outputs', [('small', str), ('medium', str), ('large', str)]):
    small, medium, large = train(size='small'), train(size='medium'), train(size='large')
    report = evaluate(model=medium.output)
    outputs = NamedTuple('Outputs', [('small', str), ('medium', str), ('large', str)])
    return outputs(small.output, report.output, large.output)
