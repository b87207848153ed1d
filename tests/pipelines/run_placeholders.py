"""What a task can learn of its run: as whole arguments, within text, within lists, and in commands."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import OutputPath


@dsl.component
def check(
    job_name: str,
    resource_name: str,
    job_id: str,
    task_name: str,
    task_id: str,
    created: str,
    scheduled: str,
    root: str,
    text: str,
    items: list,
) -> str:
    import datetime
    import uuid
    assert job_name and '{{' not in job_name, job_name
    assert resource_name.startswith('run-placeholders-'), resource_name
    assert str(uuid.UUID(job_id)) == job_id, job_id
    assert task_name == 'check', task_name
    assert task_id and task_id != job_id and '{' not in task_id, task_id
    for time in (created, scheduled):
        parsed = datetime.datetime.strptime(time[:19], '%Y-%m-%dT%H:%M:%S')
        assert abs(datetime.datetime.utcnow() - parsed) < datetime.timedelta(days=1), time
        assert time.endswith('Z'), time
    assert created == scheduled, (created, scheduled)
    assert root and '{' not in root, root
    assert text == f'{task_name} of {resource_name} ({job_id})', text
    assert items == [job_id, {'name': job_name}], items
    return task_name


@dsl.container_component
def in_command(shown: OutputPath(str)):
    return dsl.ContainerSpec(
        image='busybox:1.37',
        command=['sh', '-ec', 'printf "%s" "$1" > "$0"; [ -n "$2" ]'],
        args=[shown, f'task {dsl.PIPELINE_TASK_NAME_PLACEHOLDER}!', dsl.PIPELINE_JOB_ID_PLACEHOLDER],
    )


@dsl.component
def same(text: str) -> str:
    return text


@dsl.pipeline
def nested(text: str) -> str:
    return same(text=text).output


@dsl.pipeline
def run_placeholders() -> NamedTuple('Outputs', [('task_name', str), ('in_command', str), ('nested', str)]):
    checked = check(
        job_name=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
        resource_name=dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER,
        job_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
        task_name=dsl.PIPELINE_TASK_NAME_PLACEHOLDER,
        task_id=dsl.PIPELINE_TASK_ID_PLACEHOLDER,
        created=dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER,
        scheduled=dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER,
        root=dsl.PIPELINE_ROOT_PLACEHOLDER,
        text=f'{dsl.PIPELINE_TASK_NAME_PLACEHOLDER} of {dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER} ({dsl.PIPELINE_JOB_ID_PLACEHOLDER})',
        items=[dsl.PIPELINE_JOB_ID_PLACEHOLDER, {'name': dsl.PIPELINE_JOB_NAME_PLACEHOLDER}],
    )
    shown = in_command()
    # Resolved where it is written: the name is that of the nested pipeline's task.
    in_pipeline = nested(text=f'in {dsl.PIPELINE_TASK_NAME_PLACEHOLDER}')
    outputs = NamedTuple('Outputs', [('task_name', str), ('in_command', str), ('nested', str)])
    return outputs(checked.output, shown.outputs['shown'], in_pipeline.output)
