"""Arguments put together from pieces, also with pieces that are only there when an input is given."""

from typing import NamedTuple, Optional

from kfp import dsl
from kfp.dsl import OutputPath


@dsl.container_component
def show(name: str, count: int, shown: OutputPath(str), suffix: Optional[str] = None):
    return dsl.ContainerSpec(
        image='busybox:1.37',
        command=['sh', '-ec', 'out="$0"; printf "[%s]" "$@" > "$out"', shown],
        args=[
            dsl.ConcatPlaceholder(['--name=', name, '/', count]),
            dsl.ConcatPlaceholder(['a', dsl.ConcatPlaceholder(['b', name]), 'c']),
            dsl.ConcatPlaceholder([
                name,
                dsl.IfPresentPlaceholder(input_name='suffix', then=dsl.ConcatPlaceholder(['-', suffix]), else_='-none'),
            ]),
        ],
    )


@dsl.pipeline
def concat(name: str = 'x "y" {{$}} $z') -> NamedTuple('Outputs', [('given', str), ('absent', str)]):
    given = show(name='model', count=2, suffix='v1')
    absent = show(name=name, count=0)
    return NamedTuple('Outputs', [('given', str), ('absent', str)])(given.outputs['shown'], absent.outputs['shown'])
