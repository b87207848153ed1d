"""A task with several outputs: parameters and artifacts, returned and assigned, used one by one."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Metrics, Output, OutputPath


@dsl.component
def split(
    rows: int,
    train_set: Output[Dataset],
    test_set: Output[Dataset],
    summary: OutputPath(str),
) -> NamedTuple('Sizes', [('train_rows', int), ('test_rows', int), ('ratio', float)]):
    from typing import NamedTuple
    train_rows = rows * 3 // 4
    for artifact, first, last in [(train_set, 0, train_rows), (test_set, train_rows, rows)]:
        with open(artifact.path, 'w') as file:
            file.write('\n'.join(str(row) for row in range(first, last)))
        artifact.metadata['rows'] = last - first
    with open(summary, 'w') as file:
        file.write(f'{rows} rows\n')
    sizes = NamedTuple('Sizes', [('train_rows', int), ('test_rows', int), ('ratio', float)])
    return sizes(train_rows, rows - train_rows, train_rows / rows)


@dsl.component
def evaluate(
    train_set: Input[Dataset],
    test_set: Input[Dataset],
    train_rows: int,
    test_rows: int,
    summary: str,
    metrics: Output[Metrics],
) -> float:
    with open(train_set.path) as file:
        assert len(file.read().splitlines()) == train_rows == train_set.metadata['rows']
    with open(test_set.path) as file:
        test_values = [int(line) for line in file]
    assert len(test_values) == test_rows == test_set.metadata['rows']
    assert summary == '16 rows\n', repr(summary)
    accuracy = sum(value % 2 for value in test_values) / len(test_values)
    metrics.log_metric('accuracy', accuracy)
    return accuracy


@dsl.pipeline
def several_outputs(rows: int = 16) -> NamedTuple('Outputs', [('accuracy', float), ('ratio', float), ('summary', str), ('metrics', Metrics)]):
    parts = split(rows=rows)
    evaluated = evaluate(
        train_set=parts.outputs['train_set'],
        test_set=parts.outputs['test_set'],
        train_rows=parts.outputs['train_rows'],
        test_rows=parts.outputs['test_rows'],
        summary=parts.outputs['summary'],
    )
    outputs = NamedTuple('Outputs', [('accuracy', float), ('ratio', float), ('summary', str), ('metrics', Metrics)])
    return outputs(evaluated.outputs['Output'], parts.outputs['ratio'], parts.outputs['summary'],
                   evaluated.outputs['metrics'])
