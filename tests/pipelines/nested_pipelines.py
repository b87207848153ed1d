"""Pipelines in pipelines: their inputs with defaults, their outputs as parameters and artifacts."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output


@dsl.component
def extract(rows: int, data: Output[Dataset]):
    with open(data.path, 'w') as file:
        file.write('\n'.join(str(row) for row in range(rows)))


@dsl.component
def scale(data: Input[Dataset], factor: float, scaled: Output[Dataset]) -> int:
    with open(data.path) as file:
        values = [float(line) * factor for line in file]
    with open(scaled.path, 'w') as file:
        file.write('\n'.join(str(value) for value in values))
    return len(values)


@dsl.component
def fit(data: Input[Dataset], model: Output[Model]) -> float:
    with open(data.path) as file:
        values = [float(line) for line in file]
    mean = sum(values) / len(values)
    with open(model.path, 'w') as file:
        file.write(str(mean))
    model.metadata['framework'] = 'mean'
    return mean


@dsl.component
def evaluate(model: Input[Model], mean: float, rows: int) -> str:
    with open(model.path) as file:
        assert float(file.read()) == mean
    assert model.framework == 'mean', model.metadata
    return f'{rows} rows, mean {mean}'


@dsl.pipeline
def prepare(rows: int, factor: float = 0.5) -> NamedTuple('Prepared', [('data', Dataset), ('rows', int)]):
    extracted = extract(rows=rows)
    scaled = scale(data=extracted.outputs['data'], factor=factor)
    return NamedTuple('Prepared', [('data', Dataset), ('rows', int)])(scaled.outputs['scaled'], scaled.outputs['Output'])


@dsl.pipeline
def train(rows: int) -> NamedTuple('Trained', [('model', Model), ('mean', float), ('rows', int)]):
    prepared = prepare(rows=rows)
    fitted = fit(data=prepared.outputs['data'])
    outputs = NamedTuple('Trained', [('model', Model), ('mean', float), ('rows', int)])
    return outputs(fitted.outputs['model'], fitted.outputs['Output'], prepared.outputs['rows'])


@dsl.pipeline
def nested_pipelines(rows: int = 9) -> NamedTuple('Outputs', [('report', str), ('model', Model)]):
    trained = train(rows=rows)
    report = evaluate(
        model=trained.outputs['model'], mean=trained.outputs['mean'], rows=trained.outputs['rows'])
    return NamedTuple('Outputs', [('report', str), ('model', Model)])(report.output, trained.outputs['model'])
