"""A workspace that the tasks of a run share. On a cluster it is a volume, on one machine a directory of the run."""

from kfp import dsl


@dsl.component
def write(folder: str, run: str) -> str:
    import os
    name = os.path.join(folder, 'data', 'note.txt')
    assert os.listdir(folder) == [], 'a workspace belongs to one run'
    os.makedirs(os.path.dirname(name))
    with open(name, 'w') as file:
        file.write('written by a task before')
    assert run and run in folder or folder == '/kfp-workspace', folder
    return name


@dsl.component
def read(name: str) -> str:
    with open(name) as file:
        return file.read()


@dsl.pipeline(pipeline_config=dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size='1Gi')))
def workspace() -> str:
    written = write(folder=dsl.WORKSPACE_PATH_PLACEHOLDER, run=dsl.PIPELINE_JOB_ID_PLACEHOLDER)
    return read(name=written.output).output
