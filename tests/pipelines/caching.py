"""Equal tasks run once; a cache key of one's own decides alone; a task without cache always runs."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import Input, Model, Output


@dsl.component
def train(rate: float, model: Output[Model]) -> str:
    """Returns something new each time it really runs."""
    import uuid
    text = uuid.uuid4().hex
    with open(model.path, 'w') as file:
        file.write(text)
    model.metadata['rate'] = rate
    return text


@dsl.component
def read(model: Input[Model]) -> str:
    with open(model.path) as file:
        return file.read()


@dsl.component
def check(first: str, again: str, other: str, fresh: str, keyed: str, keyed_again: str, read_first: str, read_again: str) -> str:
    assert first == again == read_first == read_again, (first, again, read_first, read_again)
    assert len({first, other, fresh, keyed}) == 4, (first, other, fresh, keyed)
    assert keyed == keyed_again, (keyed, keyed_again)
    return 'ok'


@dsl.pipeline
def caching() -> str:
    first = train(rate=0.1)
    again = train(rate=0.1).after(first)
    other = train(rate=0.2).after(again)
    fresh = train(rate=0.1).set_caching_options(False).after(again)
    keyed = train(rate=0.3).set_caching_options(True, cache_key='nightly model').after(other)
    keyed_again = train(rate=0.4).set_caching_options(True, cache_key='nightly model').after(keyed)
    read_first = read(model=first.outputs['model'])
    read_again = read(model=again.outputs['model']).after(read_first)
    tasks = dict(first=first, again=again, other=other, fresh=fresh, keyed=keyed, keyed_again=keyed_again)
    return check(
        **{name: task.outputs['Output'] for name, task in tasks.items()},
        read_first=read_first.output,
        read_again=read_again.output,
    ).set_caching_options(False).output
