"""Loops: over a list in the source, over a pipeline input, over a task's output, nested, over members."""

from typing import Dict, List

from kfp import dsl


@dsl.component
def list_folds(count: int) -> List[int]:
    return list(range(count))


@dsl.component
def list_trials() -> List[Dict[str, int]]:
    return [{'depth': 2, 'trees': 10}, {'depth': 4, 'trees': 20}]


@dsl.component
def train(fold: int, seed: int) -> int:
    return 100 * fold + seed


@dsl.component
def label(name: str) -> str:
    return f'<{name}>'


@dsl.component
def grow(depth: int, trees: int) -> int:
    return depth * trees


@dsl.component
def total(values: List[int], names: List[str], sizes: List[int], grid: List[List[int]]) -> str:
    assert values == [1, 101, 201, 301], values
    assert names == ['<a>', "<it's>", '<c d>'], names
    assert sizes == [20, 80], sizes
    assert grid == [[11, 12], [21, 22], [31, 32]], grid
    return 'ok'


@dsl.component
def add(left: int, right: int) -> int:
    return left + right


@dsl.pipeline
def loops(names: List[str] = ['a', "it's", 'c d']) -> str:
    folds = list_folds(count=4)
    with dsl.ParallelFor(folds.output) as fold:
        trained = train(fold=fold, seed=1)
    with dsl.ParallelFor(names) as name:
        labelled = label(name=name)
    with dsl.ParallelFor(list_trials().output) as trial:
        grown = grow(depth=trial.depth, trees=trial.trees)
    with dsl.ParallelFor([10, 20, 30]) as left:
        with dsl.ParallelFor([1, 2]) as right:
            added = add(left=left, right=right)
    return total(
        values=dsl.Collected(trained.output),
        names=dsl.Collected(labelled.output),
        sizes=dsl.Collected(grown.output),
        grid=dsl.Collected(added.output),
    ).output
