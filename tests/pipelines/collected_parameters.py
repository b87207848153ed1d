"""What loops leave behind: in order, one list level for each loop."""

from typing import List, NamedTuple

from kfp import dsl


@dsl.component
def evaluate(fold: int, seed: int) -> int:
    # The first iterations end last; the order of the list is that of the items all the same.
    import time
    time.sleep(max(0, 3 - fold) * 0.1)
    return 10 * fold + seed


@dsl.component
def check_nested(scores: List[List[int]]) -> str:
    assert scores == [[11, 12], [21, 22], [31, 32]], scores
    return 'ok'


@dsl.component
def total(scores: List[int]) -> int:
    return int(sum(scores))


@dsl.component
def relate(score: int, of: int) -> int:
    return int(score * 100 // of)


@dsl.pipeline
def share(scores: List[int], of: int) -> List[int]:
    with dsl.ParallelFor(scores) as score:
        related = relate(score=score, of=of)
    return dsl.Collected(related.output)


@dsl.pipeline
def collected_parameters() -> NamedTuple('Outputs', [('flat', List[int]), ('nested', List[List[int]]), ('shares', List[int]), ('per_fold', List[int]), ('check', str)]):
    with dsl.ParallelFor([3, 1, 2]) as fold:
        flat = evaluate(fold=fold, seed=0)
    with dsl.ParallelFor([1, 2, 3]) as fold:
        with dsl.ParallelFor([1, 2]) as seed:
            nested = evaluate(fold=fold, seed=seed)
        per_fold = total(scores=dsl.Collected(nested.output))
    sum_of_flat = total(scores=dsl.Collected(flat.output))
    shares = share(scores=dsl.Collected(flat.output), of=sum_of_flat.output)
    checked = check_nested(scores=dsl.Collected(nested.output))
    outputs = NamedTuple(
        'Outputs', [('flat', List[int]), ('nested', List[List[int]]), ('shares', List[int]), ('per_fold', List[int]), ('check', str)])
    return outputs(
        dsl.Collected(flat.output), dsl.Collected(nested.output), shares.output,
        dsl.Collected(per_fold.output), checked.output)
