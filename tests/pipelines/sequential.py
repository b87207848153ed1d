"""Tasks that run one after another, by data and by `.after()`."""

from kfp import dsl


@dsl.component
def log_step(log: str, name: str):
    """Appends a line to a file outside the pipeline; the order of the lines is the order of the tasks."""
    with open(log, 'a') as file:
        file.write(f'{name}\n')


@dsl.component
def read_log(log: str) -> str:
    with open(log) as file:
        lines = file.read().split()
    assert lines == ['extract', 'clean', 'train', 'evaluate'], lines
    return ','.join(lines)


@dsl.component
def start_log() -> str:
    import os
    import tempfile
    return os.path.join(tempfile.mkdtemp(prefix='sequential-'), 'steps.log')


@dsl.pipeline
def sequential() -> str:
    log = start_log().set_caching_options(False)
    extract = log_step(log=log.output, name='extract').set_display_name('Extract the data')
    clean = log_step(log=log.output, name='clean').after(extract)
    train = log_step(log=log.output, name='train').after(clean, extract)
    evaluate = log_step(log=log.output, name='evaluate').after(train)
    return read_log(log=log.output).after(evaluate).output
