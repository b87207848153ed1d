"""An exit task that runs after its group whether that failed or not, and is told how it ended."""

from kfp import dsl
from kfp.dsl import PipelineTaskFinalStatus


@dsl.component
def train(fail: bool) -> str:
    if fail:
        raise ValueError('the loss is not a number')
    return 'model'


@dsl.component
def evaluate(model: str) -> str:
    return f'{model} evaluated'


@dsl.component
def notify(channel: str, status: PipelineTaskFinalStatus) -> str:
    assert channel == 'ml-team', channel
    assert status.pipeline_task_name == 'exit-handler-1', status
    assert 'exit-handler-' in status.pipeline_job_resource_name, status
    if status.state == 'FAILED':
        assert status.error_message, status
    else:
        assert status.state == 'SUCCEEDED', status
    return status.state


@dsl.pipeline
def exit_handler(fail: bool = False, channel: str = 'ml-team'):
    exit_task = notify(channel=channel)
    with dsl.ExitHandler(exit_task, name='training'):
        evaluate(model=train(fail=fail).output)
