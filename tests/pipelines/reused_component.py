"""One component used many times, alone, in a pipeline of its own and with different settings."""

from kfp import dsl


@dsl.component
def add(left: int, right: int = 10) -> int:
    return left + right


@dsl.pipeline
def add_twice(start: int) -> int:
    first = add(left=start)
    return add(left=first.output).output


@dsl.pipeline
def reused_component(start: int = 1) -> int:
    first = add(left=start, right=1)
    second = add(left=first.output, right=2).set_env_variable('PART', 'second')
    nested = add_twice(start=second.output)
    nested_again = add_twice(start=nested.output)
    return add(left=nested_again.output, right=nested.output).set_display_name('add').output
