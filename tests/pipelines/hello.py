"""A first pipeline: prepare data, train with three learning rates side by side, publish the best model if it is good."""

from typing import List, NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output


@dsl.component
def prepare(rows: int, data: Output[Dataset]):
    """Writes points of the line y = 2x + 1."""
    with open(data.path, 'w') as file:
        file.write('x,y\n')
        for row in range(rows):
            x = row / rows
            file.write(f'{x},{2 * x + 1}\n')
    data.metadata['rows'] = rows
    print(f'wrote {rows} rows')


@dsl.component
def train(data: Input[Dataset], rate: float, steps: int) -> float:
    """Fits a line by gradient descent and returns the loss."""
    with open(data.path) as file:
        points = [tuple(map(float, line.split(','))) for line in list(file)[1:]]
    slope, intercept = 0.0, 0.0
    for step in range(steps):
        errors = [(x, slope * x + intercept - y) for x, y in points]
        slope -= rate * sum(2 * x * error for x, error in errors) / len(points)
        intercept -= rate * sum(2 * error for _, error in errors) / len(points)
        if step % 20 == 0:
            print(f'step {step}: loss {sum(error * error for _, error in errors) / len(points):.6f}')
    return round(sum((slope * x + intercept - y) ** 2 for x, y in points) / len(points), 4)


@dsl.component
def choose(rates: List[float], losses: List[float]) -> NamedTuple('Best', [('rate', float), ('loss', float)]):
    """Names the rate with the smallest loss."""
    from typing import NamedTuple
    for rate, loss in zip(rates, losses):
        print(f'rate {rate}: loss {loss}')
    loss, rate = min(zip(losses, rates))
    return NamedTuple('Best', [('rate', float), ('loss', float)])(rate, loss)


@dsl.component
def publish(rate: float, loss: float, model: Output[Model]):
    """Stores the model's card."""
    with open(model.path, 'w') as file:
        file.write(f'a line, fitted with rate {rate}\n')
    model.metadata.update(framework='none', loss=loss)
    print(f'published the model of rate {rate}')


@dsl.pipeline(name='hello', display_name='Hello, Penstock')
def hello(rows: int = 20, accept_below: float = 0.1) -> NamedTuple('Outputs', [('rate', float), ('loss', float)]):
    data = prepare(rows=rows)
    with dsl.ParallelFor([0.01, 0.1, 0.4]) as rate:
        trained = train(data=data.output, rate=rate, steps=60)
    best = choose(rates=[0.01, 0.1, 0.4], losses=dsl.Collected(trained.output))
    with dsl.If(best.outputs['loss'] < accept_below, 'good enough'):
        publish(rate=best.outputs['rate'], loss=best.outputs['loss'])
    outputs = NamedTuple('Outputs', [('rate', float), ('loss', float)])
    return outputs(best.outputs['rate'], best.outputs['loss'])
