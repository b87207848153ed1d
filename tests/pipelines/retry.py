"""A task that fails twice and then succeeds, and one without enough retries."""

from typing import NamedTuple

from kfp import dsl


@dsl.component
def fetch() -> int:
    """Fails until its third attempt; the backend numbers the attempts."""
    import os
    attempt = int(os.environ['KFP_RETRY_INDEX'])
    assert attempt >= 2, f'attempt {attempt} fails by design'
    return attempt


@dsl.component
def train(attempts_before: int) -> str:
    return f'trained after {attempts_before} retries'


@dsl.pipeline
def retry() -> str:
    fetched = fetch().set_retry(num_retries=3, backoff_duration='0s')
    return train(attempts_before=fetched.output).output
