"""Metrics, curves, matrices, HTML and Markdown, in files and in metadata."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import ClassificationMetrics, HTML, Input, Markdown, Metrics, Output


@dsl.component
def evaluate(
    metrics: Output[Metrics],
    curve: Output[ClassificationMetrics],
    matrix: Output[ClassificationMetrics],
    page: Output[HTML],
    notes: Output[Markdown],
):
    metrics.log_metric('accuracy', 0.875)
    metrics.log_metric('rows', 8)
    metrics.metadata['dataset'] = 'iris'
    curve.log_roc_curve(fpr=[0.0, 0.5, 1.0], tpr=[0.0, 0.75, 1.0], threshold=[1.0, 0.5, 0.25])
    matrix.log_confusion_matrix(['cat', 'dog'], [[3, 1], [0, 4]])
    with open(page.path, 'w') as file:
        file.write('<h1>Evaluation</h1>')
    with open(notes.path, 'w') as file:
        file.write('# Evaluation\n')


@dsl.component
def check(metrics: Input[Metrics], matrix: Input[ClassificationMetrics], page: Input[HTML]) -> float:
    assert metrics.metadata == {'accuracy': 0.875, 'rows': 8, 'dataset': 'iris'}, metrics.metadata
    assert matrix.metadata['confusionMatrix']['rows'] == [{'row': [3, 1]}, {'row': [0, 4]}], matrix.metadata
    with open(page.path) as file:
        assert file.read() == '<h1>Evaluation</h1>'
    return metrics.metadata['accuracy']


@dsl.pipeline
def visualisations() -> NamedTuple('Outputs', [('accuracy', float), ('metrics', Metrics), ('curve', ClassificationMetrics), ('matrix', ClassificationMetrics), ('page', HTML), ('notes', Markdown)]):
    evaluated = evaluate()
    accuracy = check(
        metrics=evaluated.outputs['metrics'], matrix=evaluated.outputs['matrix'], page=evaluated.outputs['page'])
    names = ['metrics', 'curve', 'matrix', 'page', 'notes']
    outputs = NamedTuple('Outputs', [('accuracy', float), ('metrics', Metrics), ('curve', ClassificationMetrics),
                                     ('matrix', ClassificationMetrics), ('page', HTML), ('notes', Markdown)])
    return outputs(accuracy.output, *(evaluated.outputs[name] for name in names))
