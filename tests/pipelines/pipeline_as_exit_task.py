"""A whole pipeline as exit task: the final status is one of its inputs, and its conditions look at it."""

from kfp import dsl
from kfp.dsl import PipelineTaskFinalStatus


@dsl.component
def train(fail: bool):
    assert not fail, 'diverged by design'


@dsl.component
def state_of(status: dict) -> str:
    return status['state']


@dsl.component
def alert(text: str) -> str:
    return text


@dsl.pipeline
def wind_down(channel: str, status: PipelineTaskFinalStatus):
    state = state_of(status=status)
    with dsl.If(state.output == 'FAILED'):
        alert(text=f'{channel}: training failed')
    with dsl.If(state.output != 'FAILED'):
        alert(text=f'{channel}: training done')


@dsl.pipeline
def pipeline_as_exit_task(fail: bool = True, channel: str = 'ml-team'):
    with dsl.ExitHandler(wind_down(channel=channel)):
        train(fail=fail)
