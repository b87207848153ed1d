"""Loops over nothing succeed, and what is collected from them is an empty list."""

from typing import List

from kfp import dsl


@dsl.component
def list_failed_rows(rows: List[int]) -> List[int]:
    return [row for row in rows if row < 0]


@dsl.component
def repair(row: int) -> int:
    raise AssertionError('there is nothing to repair')


@dsl.component
def report(found: List[int], given: List[int], nested: List[List[int]]) -> str:
    assert (found, given, nested) == ([], [], [[], []]), (found, given, nested)
    return 'nothing to repair'


@dsl.pipeline
def empty_loop(nothing: List[int] = []) -> str:
    failed = list_failed_rows(rows=[1, 2, 3])
    with dsl.ParallelFor(failed.output) as row:
        found = repair(row=row)
    with dsl.ParallelFor(nothing) as row:
        given = repair(row=row)
    with dsl.ParallelFor(['train', 'test']):
        with dsl.ParallelFor(nothing) as row:
            nested = repair(row=row)
    return report(
        found=dsl.Collected(found.output), given=dsl.Collected(given.output), nested=dsl.Collected(nested.output)).output
