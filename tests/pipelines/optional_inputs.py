"""Inputs that may be left out: with and without default, given as null, and null handed down through pipelines."""

from typing import Dict, List, NamedTuple, Optional

from kfp import dsl


@dsl.component
def describe(
    note: Optional[str] = None,
    limit: Optional[int] = None,
    tags: Optional[List[str]] = None,
    options: Optional[Dict[str, str]] = None,
    rate: Optional[float] = 0.5,
    strict: bool = True,
) -> str:
    import json
    return json.dumps([note, limit, tags, options, rate, strict])


@dsl.pipeline
def inner(note: Optional[str] = None, limit: Optional[int] = None, rate: Optional[float] = 0.25) -> str:
    return describe(note=note, limit=limit, rate=rate).output


@dsl.pipeline
def middle(note: Optional[str] = None, limit: Optional[int] = 7) -> NamedTuple('Seen', [('seen', str), ('bare', str)]):
    seen = inner(note=note, limit=limit)
    bare = inner()
    return NamedTuple('Seen', [('seen', str), ('bare', str)])(seen.output, bare.output)


@dsl.pipeline
def optional_inputs(
    note: Optional[str] = None,
    limit: Optional[int] = None,
    tags: Optional[List[str]] = None,
    strict: bool = False,
) -> NamedTuple('Outputs', [('nothing', str), ('forwarded', str), ('nested', str), ('bare', str), ('defaulted', str)]):
    nothing = describe()
    forwarded = describe(note=note, limit=limit, tags=tags, strict=strict)
    nested = middle(note=note)
    # A null that meets an input with a default gives way to the default.
    defaulted = middle(note='defaulted', limit=limit)
    outputs = NamedTuple('Outputs', [('nothing', str), ('forwarded', str), ('nested', str), ('bare', str), ('defaulted', str)])
    return outputs(nothing.output, forwarded.output, nested.outputs['seen'], nested.outputs['bare'],
                   defaulted.outputs['seen'])
