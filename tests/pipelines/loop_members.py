"""Loops over members of the items of other loops, conditions and pipelines in loops, loops in conditions."""

from typing import Dict, List, NamedTuple

from kfp import dsl


@dsl.component
def list_experiments() -> List[Dict[str, list]]:
    return [{'name': ['a'], 'rates': [0.1, 0.2]}, {'name': ['b'], 'rates': [0.3]}]


@dsl.component
def train(name: str, depth: int) -> str:
    assert type(depth) is int, repr(depth)
    return f'{name}{depth}'


@dsl.component
def as_text(number: int) -> str:
    return f'<{number}>'


@dsl.component
def try_rate(rate: float) -> float:
    return rate * 10


@dsl.component
def join(names: List[List[str]], rates: List[List[float]], odd: List[str]) -> str:
    assert names == [['forest12', 'forest14'], ['boost16']], names
    assert [[round(rate) for rate in group] for group in rates] == [[1, 2], [3]], rates
    assert odd == ['<1>1', '<3>1'], odd
    return 'ok'


@dsl.pipeline
def train_named(name: str, depth: int) -> str:
    return train(name=name, depth=depth).output


@dsl.pipeline
def loop_members(wanted: str = 'yes') -> str:
    with dsl.ParallelFor([{'kind': 'forest', 'depths': [2, 4]}, {'kind': 'boost', 'depths': [6]}]) as model:
        first = train_named(name=model.kind, depth=1)
        with dsl.ParallelFor(model.depths) as depth:
            named = train(name=first.output, depth=depth)
    with dsl.ParallelFor(list_experiments().output) as experiment:
        with dsl.ParallelFor(experiment.rates) as rate:
            tried = try_rate(rate=rate)
    with dsl.ParallelFor([{'n': 1, 'odd': 1}, {'n': 2, 'odd': 0}, {'n': 3, 'odd': 1}]) as number:
        text = as_text(number=number.n)
        with dsl.If(number.odd == 1):
            odd = train(name=text.output, depth=1)
    with dsl.If(wanted == 'yes'):
        with dsl.ParallelFor([1, 2]) as depth:
            train(name='wanted', depth=depth)
    with dsl.If(wanted == 'no'):
        with dsl.ParallelFor([1, 2]) as depth:
            train(name='unwanted', depth=depth)
    return join(
        names=dsl.Collected(named.output), rates=dsl.Collected(tried.output), odd=dsl.Collected(odd.output)).output
