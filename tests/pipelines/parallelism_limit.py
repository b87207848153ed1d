"""A loop of which at most two iterations run at a time."""

from typing import List

from kfp import dsl


@dsl.component
def start() -> str:
    import tempfile
    return tempfile.mkdtemp(prefix='parallelism-limit-')


@dsl.component
def train(directory: str, fold: int) -> int:
    """Registers itself for as long as it runs and returns how many are registered."""
    import os
    import time
    mark = os.path.join(directory, str(fold))
    with open(mark, 'w'):
        pass
    running = len(os.listdir(directory))
    time.sleep(0.1)
    running = max(running, len(os.listdir(directory)))
    os.remove(mark)
    return running


@dsl.component
def most(running: List[int], limit: int) -> str:
    assert len(running) == 6, running
    assert max(running) <= limit, running
    return 'ok'


@dsl.pipeline
def parallelism_limit() -> str:
    directory = start().set_caching_options(False)
    with dsl.ParallelFor([1, 2, 3, 4, 5, 6], parallelism=2) as fold:
        running = train(directory=directory.output, fold=fold)
    return most(running=dsl.Collected(running.output), limit=2).output
