"""Every type of parameter, given and by default, with values that are easily spoilt on the way."""

from typing import Dict, List, NamedTuple

from kfp import dsl


@dsl.component
def check_types(
    epochs: int,
    rate: float,
    name: str,
    shuffle: bool,
    layers: List[int],
    options: Dict[str, float],
    tags: list,
    nested: dict,
) -> NamedTuple(
        'Seen', [('epochs', int), ('rate', float), ('name', str), ('shuffle', bool), ('layers', List[int]),
                 ('options', Dict[str, float]), ('tags', list), ('nested', dict)]):
    from typing import NamedTuple
    assert type(epochs) is int, repr(epochs)
    assert isinstance(rate, (int, float)) and not isinstance(rate, bool), repr(rate)
    assert type(name) is str, repr(name)
    assert type(shuffle) is bool, repr(shuffle)
    assert all(type(layer) is int for layer in layers), repr(layers)
    names = 'epochs rate name shuffle layers options tags nested'
    seen = NamedTuple('Seen', [(field, object) for field in names.split()])
    return seen(epochs, rate, name, shuffle, layers, options, tags, nested)


@dsl.component
def check_defaults(
    epochs: int = 3,
    big: int = 9007199254740991,
    negative: int = -7,
    rate: float = 1e-05,
    whole: float = 2.0,
    name: str = 'it\'s "quoted" \\ ünï — 漢字',
    empty: str = '',
    number_text: str = '007',
    truth_text: str = 'true',
    shuffle: bool = False,
    layers: List[int] = [16, 8],
    nothing: list = [],
    options: Dict[str, float] = {'dropout': 0.5},
    empty_options: dict = {},
) -> str:
    assert epochs == 3 and type(epochs) is int, repr(epochs)
    assert big == 9007199254740991 and type(big) is int, repr(big)
    assert negative == -7, repr(negative)
    assert rate == 1e-05, repr(rate)
    assert whole == 2, repr(whole)
    assert name == 'it\'s "quoted" \\ ünï — 漢字', repr(name)
    assert empty == '', repr(empty)
    assert number_text == '007', repr(number_text)
    assert truth_text == 'true', repr(truth_text)
    assert shuffle is False, repr(shuffle)
    assert layers == [16, 8] and all(type(layer) is int for layer in layers), repr(layers)
    assert nothing == [], repr(nothing)
    assert options == {'dropout': 0.5}, repr(options)
    assert empty_options == {}, repr(empty_options)
    return 'ok'


@dsl.component
def check_constants(count: int, scale: float, text: str, flag: bool, items: list, mapping: dict, multiline: str) -> str:
    assert count == 0 and type(count) is int, repr(count)
    assert scale == 0.1, repr(scale)
    assert text == 'a: b # c', repr(text)
    assert flag is True, repr(flag)
    assert items == [1, 'two', 3.5, False, ['nested', {'deep': [1]}]], repr(items)
    assert mapping == {'a': 1, 'b': {'c': [True, 0.5]}, '': 'empty key'}, repr(mapping)
    assert multiline == 'first line\n  second line\n\ttabbed\n', repr(multiline)
    return 'ok'


@dsl.pipeline
def parameter_types(
    epochs: int = 5,
    rate: float = 0.25,
    name: str = 'baseline',
    shuffle: bool = True,
    layers: List[int] = [64, 32],
    options: Dict[str, float] = {'dropout': 0.1, 'momentum': 0.9},
    tags: list = ['a', 1, True],
    nested: dict = {'optimizer': {'name': 'adam', 'betas': [0.9, 0.999]}},
) -> NamedTuple(
        'Outputs', [('epochs', int), ('rate', float), ('name', str), ('shuffle', bool), ('layers', List[int]),
                    ('options', Dict[str, float]), ('tags', list), ('nested', dict), ('defaults', str),
                    ('constants', str)]):
    seen = check_types(
        epochs=epochs, rate=rate, name=name, shuffle=shuffle, layers=layers, options=options, tags=tags, nested=nested)
    defaults = check_defaults()
    constants = check_constants(
        count=0,
        scale=0.1,
        text='a: b # c',
        flag=True,
        items=[1, 'two', 3.5, False, ['nested', {'deep': [1]}]],
        mapping={'a': 1, 'b': {'c': [True, 0.5]}, '': 'empty key'},
        multiline='first line\n  second line\n\ttabbed\n',
    )
    names = ['epochs', 'rate', 'name', 'shuffle', 'layers', 'options', 'tags', 'nested']
    outputs = NamedTuple('Outputs', [(field, object) for field in names + ['defaults', 'constants']])
    return outputs(*(seen.outputs[field] for field in names), defaults.output, constants.output)
