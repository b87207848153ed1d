"""Arguments that depend on whether an input was given: parameters, null, a default, and artifacts."""

from typing import NamedTuple, Optional

from kfp import dsl
from kfp.dsl import Dataset, Input, Output, OutputPath


@dsl.component
def prepare(data: Output[Dataset]):
    with open(data.path, 'w') as file:
        file.write('rows')


@dsl.container_component
def show(
    shown: OutputPath(str),
    name: Optional[str] = None,
    tag: str = 'latest',
    data: Optional[Input[Dataset]] = None,
):
    return dsl.ContainerSpec(
        image='busybox:1.37',
        command=['sh', '-ec', 'out="$0"; printf "[%s]" "$@" > "$out"', shown],
        args=[
            'first',
            dsl.IfPresentPlaceholder(input_name='name', then=['--name', name], else_=['--anonymous']),
            dsl.IfPresentPlaceholder(input_name='tag', then=['--tag', tag]),
            dsl.IfPresentPlaceholder(input_name='data', then=['--data'], else_=['--no-data']),
            'last',
        ],
    )


@dsl.pipeline
def if_present(nobody: Optional[str] = None) -> NamedTuple('Outputs', [('absent', str), ('given', str), ('null', str), ('empty', str)]):
    data = prepare()
    absent = show()
    given = show(name='a name', tag='v1', data=data.output)
    null = show(name=nobody, tag='v2')
    empty = show(name='')
    outputs = NamedTuple('Outputs', [('absent', str), ('given', str), ('null', str), ('empty', str)])
    return outputs(*(task.outputs['shown'] for task in (absent, given, null, empty)))
