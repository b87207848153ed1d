"""Two groups with an exit task each: one group fails and the other does not; a loop in a group; tasks beside them."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import PipelineTaskFinalStatus


@dsl.component
def work(name: str, fail: bool = False) -> str:
    assert not fail, f'{name} fails by design'
    return name


@dsl.component
def release(status: PipelineTaskFinalStatus, resource: str) -> str:
    return f'{resource} after {status.pipeline_task_name}: {status.state}'


@dsl.component
def clean_up(resource: str) -> str:
    return f'{resource} removed'


@dsl.pipeline
def multiple_exit_handlers():
    independent = work(name='independent')
    with dsl.ExitHandler(release(resource='gpu'), name='training'):
        with dsl.ParallelFor(['a', 'b']) as name:
            work(name=name)
        work(name='bad', fail=True)
    with dsl.ExitHandler(clean_up(resource='scratch')):
        work(name='evaluation')
