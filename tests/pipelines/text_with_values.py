"""Values inside f-strings, lists and dictionaries; what looks like a placeholder in a value is never expanded."""

from typing import NamedTuple

from kfp import dsl


@dsl.component
def make_title(name: str) -> str:
    return f'"{name}"\n\t\\ {{x}} %s $0'


@dsl.component
def check_text(text: str, name: str, title: str, count: int) -> str:
    assert text == f'run of {name}: {title}, {count} epochs', repr(text)
    return text


@dsl.component
def check_collections(items: list, mapping: dict, name: str, title: str) -> str:
    assert items == [name, 'fixed', f'<{title}>', [title]], repr(items)
    assert mapping == {'name': name, 'nested': {'title': f'{title}!'}, 'fixed': 1}, repr(mapping)
    return 'ok'


@dsl.component
def check_untouched(name: str) -> str:
    # Written in pieces, since a placeholder in this source would be replaced like any other.
    left, right = '{' + '{', '}' + '}'
    expected = f"it's {left}$.pipeline_job_uuid{right} and {left}$.inputs.parameters['other']{right} and {left}${right}"
    assert name == expected, repr(name)
    return 'ok'


@dsl.component
def same(text: str) -> str:
    return text


@dsl.pipeline
def nested(text: str, greeting: str) -> str:
    return same(text=f'{greeting}, {text}').output


@dsl.pipeline
def text_with_values(
    name: str = "it's {{$.pipeline_job_uuid}} and {{$.inputs.parameters['other']}} and {{$}}",
    count: int = 3,
) -> NamedTuple('Outputs', [('text', str), ('collections', str), ('untouched', str), ('nested', str), ('branch', str)]):
    title = make_title(name=name).output
    text = check_text(text=f'run of {name}: {title}, {count} epochs', name=name, title=title, count=count)
    collections = check_collections(
        items=[name, 'fixed', f'<{title}>', [title]],
        mapping={'name': name, 'nested': {'title': f'{title}!'}, 'fixed': 1},
        name=name,
        title=title,
    )
    untouched = check_untouched(name=name)
    in_pipeline = nested(text=f'{count} of {title}', greeting='hello')
    with dsl.If(count == 3):
        branch = same(text=f'{count} inside of a condition')
    with dsl.Else():
        other = same(text='other')
    chosen = dsl.OneOf(branch.output, other.output)
    outputs = NamedTuple('Outputs', [('text', str), ('collections', str), ('untouched', str), ('nested', str), ('branch', str)])
    return outputs(text.output, collections.output, untouched.output, in_pipeline.output, chosen)
