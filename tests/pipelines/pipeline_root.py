"""A pipeline that names the root of its artifacts, its display name and what it is for."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output


@dsl.component
def write(data: Output[Dataset]):
    with open(data.path, 'w') as file:
        file.write('rows')


@dsl.component
def read(data: Input[Dataset]) -> str:
    with open(data.path) as file:
        return file.read()


@dsl.pipeline(
    name='pipeline-root',
    display_name='Pipeline with a root of its own',
    description='Stores its artifacts below /tmp/penstock-pipeline-root.',
    pipeline_root='file:///tmp/penstock-pipeline-root')
def pipeline_root() -> str:
    return read(data=write().output).output
