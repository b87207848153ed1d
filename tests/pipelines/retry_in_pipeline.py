"""The retry policy of a nested pipeline holds for every task in it that has none of its own."""

from kfp import dsl


@dsl.component
def fails_until(attempt: int) -> int:
    import os
    index = int(os.environ.get('KFP_RETRY_INDEX', '0'))
    assert index >= attempt, f'attempt {index} fails by design'
    return index


@dsl.pipeline
def inner(attempt: int) -> int:
    with dsl.ParallelFor([1, 2]):
        fails_until(attempt=attempt).set_caching_options(False)
    with dsl.If(attempt == 1):
        fails_until(attempt=attempt).set_caching_options(False)
    return fails_until(attempt=2).set_retry(num_retries=2, backoff_duration='0s').output


@dsl.pipeline
def retry_in_pipeline() -> int:
    return inner(attempt=1).set_retry(num_retries=1, backoff_duration='0s').output
