"""Thirty tasks that fan out and in. Each leaves two lines in `record_dir`/executions.log: one when it starts, one at its end."""

from kfp import dsl


@dsl.component
def step(record_dir: str, name: str, left: int = 0, right: int = 0) -> int:
    import os
    import time

    def record(event):
        # One short write to a file opened for appending: lines of tasks side by side do not mix.
        descriptor = os.open(os.path.join(record_dir, 'executions.log'), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.write(descriptor, f'{event} {name}\n'.encode())
        os.close(descriptor)

    record('start')
    time.sleep(0.2)
    record('end')
    return left + right + 1


@dsl.pipeline
def thirty_tasks(record_dir: str) -> int:

    def run(name, *sources):
        inputs = dict(zip(['left', 'right'], sources))
        return step(record_dir=record_dir, name=name, **inputs).set_caching_options(False).output

    first = run('prepare')
    ends = []
    for branch in 'abcd':
        last = first
        for number in range(1, 7):
            last = run(f'{branch}{number}', last)
        ends.append(last)
    left, right = run('merge-ab', *ends[:2]), run('merge-cd', *ends[2:])
    both = run('evaluate', left, right)
    return run('publish', run('report', both))
