"""`.after()` from loop to loop, into a loop and out of one: the whole loop comes first."""

from kfp import dsl


@dsl.component
def start() -> str:
    import os
    import tempfile
    return os.path.join(tempfile.mkdtemp(prefix='cross-loop-after-'), 'steps.log')


@dsl.component
def step(log: str, name: str, seen_before: int, least: bool = False):
    """Fails unless as many lines are in the log as the order demands; then adds its own."""
    import os
    lines = []
    if os.path.exists(log):
        with open(log) as file:
            lines = file.read().splitlines()
    before = [line for line in lines if line != name]
    assert len(before) == seen_before or (least and len(before) >= seen_before), (name, lines)
    with open(log, 'a') as file:
        file.write(f'{name}\n')


@dsl.component
def read_log(log: str) -> str:
    with open(log) as file:
        lines = file.read().split()
    # The last two kinds come in the order of their own iteration only.
    return ' '.join(lines[:5] + sorted(lines[5:]))


@dsl.pipeline
def cross_loop_after() -> str:
    log = start().set_caching_options(False).output
    with dsl.ParallelFor([1, 2]):
        prepare = step(log=log, name='prepare', seen_before=0).set_caching_options(False)
    with dsl.ParallelFor([1, 2]):
        train = step(log=log, name='train', seen_before=2).set_caching_options(False).after(prepare)
    middle = step(log=log, name='middle', seen_before=4).set_caching_options(False).after(train)
    with dsl.ParallelFor([1, 2]):
        with dsl.ParallelFor([1, 2]):
            test = step(log=log, name='test', seen_before=5, least=True).set_caching_options(False).after(middle)
        report = step(log=log, name='report', seen_before=7, least=True).set_caching_options(False).after(test)
    return read_log(log=log).after(report).output
