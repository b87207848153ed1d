"""Artifacts collected from loops are one flat list, however deep the loops."""

from typing import List, NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component
def shard(part: str, number: int, data: Output[Dataset]):
    with open(data.path, 'w') as file:
        file.write(f'{part}{number}')
    data.metadata['part'] = part


@dsl.component
def join(shards: Input[List[Dataset]]) -> str:
    texts = []
    for data in shards:
        with open(data.path) as file:
            texts.append(file.read())
        assert texts[-1].startswith(data.metadata['part']), data.metadata
    return ' '.join(texts)


@dsl.pipeline
def join_in_pipeline(shards: Input[List[Dataset]]) -> str:
    return join(shards=shards).output


@dsl.pipeline
def collected_artifacts() -> NamedTuple('Outputs', [('flat', str), ('nested', str), ('in_pipeline', str), ('shards', List[Dataset])]):
    with dsl.ParallelFor([2, 1, 3]) as number:
        flat = shard(part='x', number=number)
    with dsl.ParallelFor(['a', 'b']) as part:
        with dsl.ParallelFor([1, 2]) as number:
            nested = shard(part=part, number=number)
    outputs = NamedTuple('Outputs', [('flat', str), ('nested', str), ('in_pipeline', str),
                                     ('shards', List[Dataset])])
    return outputs(
        join(shards=dsl.Collected(flat.outputs['data'])).output,
        join(shards=dsl.Collected(nested.outputs['data'])).output,
        join_in_pipeline(shards=dsl.Collected(nested.outputs['data'])).output,
        dsl.Collected(flat.outputs['data']),
    )
