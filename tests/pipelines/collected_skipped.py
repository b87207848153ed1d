"""Iterations that did not run their task add nothing to what is collected: parameters and artifacts, one and two loops deep."""

from typing import List, NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component
def shard(number: int, seed: int, data: Output[Dataset]) -> int:
    with open(data.path, 'w') as file:
        file.write(f'{number}.{seed}')
    return 10 * number + seed


@dsl.component
def join(shards: Input[List[Dataset]]) -> str:
    texts = []
    for data in shards:
        with open(data.path) as file:
            texts.append(file.read())
    return ' '.join(texts)


@dsl.component
def check(numbers: List[int], nested: List[List[int]], none: List[int]) -> str:
    assert numbers == [10, 30], numbers
    assert nested == [[12, 13], [23]], nested
    assert none == [], none
    return 'ok'


@dsl.pipeline
def collected_skipped() -> NamedTuple('Outputs', [('numbers', List[int]), ('nested', List[List[int]]), ('shards', str), ('check', str)]):
    with dsl.ParallelFor([1, 2, 3]) as number:
        with dsl.If(number != 2):
            some = shard(number=number, seed=0)
        with dsl.If(number > 3):
            none = shard(number=number, seed=0)
    with dsl.ParallelFor([1, 2]) as number:
        with dsl.ParallelFor([1, 2, 3]) as seed:
            with dsl.If(seed > number):
                nested = shard(number=number, seed=seed)
    checked = check(
        numbers=dsl.Collected(some.outputs['Output']),
        nested=dsl.Collected(nested.outputs['Output']),
        none=dsl.Collected(none.outputs['Output']),
    )
    shards = join(shards=dsl.Collected(nested.outputs['data']))
    outputs = NamedTuple('Outputs', [('numbers', List[int]), ('nested', List[List[int]]), ('shards', str), ('check', str)])
    return outputs(
        dsl.Collected(some.outputs['Output']), dsl.Collected(nested.outputs['Output']), shards.output, checked.output)
