"""Tasks that run although what they wait for failed: with the default of the output that is missing, in a pipeline too."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import PipelineTaskFinalStatus


@dsl.component
def tune(fail: bool) -> float:
    assert not fail, 'no rate found, by design'
    return 0.3


@dsl.component
def train(rate: float = 0.1) -> str:
    return f'trained with {rate}'


@dsl.component
def report(status: PipelineTaskFinalStatus) -> str:
    return f'{status.pipeline_task_name} {status.state}'


@dsl.component
def publish(text: str) -> str:
    return text


@dsl.pipeline
def tuning(fail: bool):
    tuned = tune(fail=fail)
    train(rate=tuned.output).ignore_upstream_failure()


@dsl.pipeline
def ignore_upstream_failure(fail: bool = True):
    tuned = tune(fail=fail)
    trained = train(rate=tuned.output).ignore_upstream_failure()
    publish(text=trained.output)
    report().after(tuned).ignore_upstream_failure()
    nested = tuning(fail=fail)
    train(rate=0.9).after(nested).ignore_upstream_failure()
