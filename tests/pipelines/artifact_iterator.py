"""A loop over artifacts, which another loop produced."""

from typing import List

from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component
def shard(number: int, data: Output[Dataset]):
    with open(data.path, 'w') as file:
        file.write(str(number * number))
    data.metadata['number'] = number


@dsl.component
def square_root(data: Input[Dataset]) -> int:
    with open(data.path) as file:
        root = round(int(file.read())**0.5)
    assert root == data.metadata['number'], data.metadata
    return root


@dsl.component
def check(roots: List[int]) -> List[int]:
    assert roots == [3, 1, 2], roots
    return roots


@dsl.pipeline
def shards_of(numbers: List[int]) -> List[Dataset]:
    with dsl.ParallelFor(numbers) as number:
        shards = shard(number=number)
    return dsl.Collected(shards.outputs['data'])


@dsl.pipeline
def artifact_iterator() -> List[int]:
    shards = shards_of(numbers=[3, 1, 2])
    with dsl.ParallelFor(shards.output) as data:
        roots = square_root(data=data)
    return check(roots=dsl.Collected(roots.output)).output
