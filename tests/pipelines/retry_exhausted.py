"""A task that fails more often than it may be retried."""

from kfp import dsl


@dsl.component
def fetch():
    raise RuntimeError('the source never answers, by design')


@dsl.component
def train():
    raise AssertionError('must not run')


@dsl.pipeline
def retry_exhausted():
    train().after(fetch().set_retry(num_retries=2, backoff_duration='0s'))
