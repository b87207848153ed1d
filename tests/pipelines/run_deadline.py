"""A run that takes longer than the pipeline allows."""

from kfp import dsl


@dsl.component
def train(seconds: int) -> str:
    import time
    time.sleep(seconds)
    return 'trained'


@dsl.component
def publish(text: str):
    raise AssertionError('must not run')


@dsl.pipeline(pipeline_config=dsl.PipelineConfig(active_deadline_seconds=3))
def run_deadline():
    publish(text=train(seconds=600).output)
