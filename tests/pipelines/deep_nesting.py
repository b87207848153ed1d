"""Six levels of pipelines, loops and conditions around one task, and its result on the way back out."""

from typing import List

from kfp import dsl


@dsl.component
def train(depth: int, fold: int) -> int:
    return 10 * depth + fold


@dsl.component
def total(values: List[int]) -> int:
    return int(sum(values))


@dsl.pipeline
def level_six(depth: int, fold: int) -> int:
    return train(depth=depth, fold=fold).output


@dsl.pipeline
def level_five(depth: int) -> int:
    with dsl.ParallelFor([1, 2]) as fold:
        trained = level_six(depth=depth, fold=fold)
    return total(values=dsl.Collected(trained.output)).output


@dsl.pipeline
def level_four(depth: int) -> int:
    with dsl.If(depth > 5):
        deep = level_five(depth=depth)
    with dsl.Else():
        shallow = train(depth=depth, fold=0)
    return dsl.OneOf(deep.output, shallow.output)


@dsl.pipeline
def level_three(depth: int) -> int:
    return level_four(depth=depth).output


@dsl.pipeline
def level_two(depth: int) -> int:
    return level_three(depth=depth).output


@dsl.pipeline
def deep_nesting(depth: int = 6) -> int:
    return level_two(depth=depth).output
