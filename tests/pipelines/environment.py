"""Variables of the environment reach the process as they are written."""

from kfp import dsl


@dsl.component
def show(name: str, variable: str) -> str:
    import os
    # Written in pieces, since a placeholder in this source would be replaced like any other.
    if variable == 'RAW':
        assert os.environ[variable] == '{' + '{$.pipeline_job_name}}', os.environ[variable]
        return 'raw'
    return f'{name}: {os.environ.get(variable)}'


@dsl.pipeline
def environment() -> str:
    with_value = show(name='text', variable='TEXT').set_env_variable('TEXT', 'it\'s "a=b" $HOME\nline').set_env_variable('EMPTY', '')
    raw = show(name='raw', variable='RAW').set_env_variable('RAW', '{{$.pipeline_job_name}}').after(with_value)
    show(name='empty', variable='EMPTY').set_env_variable('EMPTY', '').after(raw)
    show(name='absent', variable='TEXT').after(raw)
    return with_value.output
