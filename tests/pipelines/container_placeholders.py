"""Commands with placeholders: parameters of each type as text, locations of artifacts and outputs, metadata."""

from typing import Dict, List, NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Output, OutputPath

IMAGE = 'busybox:1.37'


@dsl.container_component
def show_values(
    count: int,
    big: int,
    rate: float,
    small: float,
    flag: bool,
    text: str,
    items: List[int],
    options: Dict[str, str],
    shown: OutputPath(str),
):
    return dsl.ContainerSpec(
        image=IMAGE,
        command=['sh', '-ec', 'out="$0"; printf "[%s]" "$@" > "$out"', shown],
        args=[count, big, rate, small, flag, text, f'--items={items}', options, f'{count}/{rate}', '', 'two words'],
    )


@dsl.container_component
def write_rows(rows: int, data: Output[Dataset], written: OutputPath(int), ratio: OutputPath(float), full: OutputPath(bool),
               names: OutputPath(list), shape: OutputPath(dict)):
    script = '''
        i=0; : > "$1"
        while [ $i -lt "$0" ]; do echo "row $i" >> "$1"; i=$((i + 1)); done
        [ -n "$2" ]
        echo " $i " > "$3"
        echo 0.5 > "$4"
        echo true > "$5"
        echo '["a", 1]' > "$6"
        printf '{"rows": %s}' "$i" > "$7"
    '''
    return dsl.ContainerSpec(
        image=IMAGE,
        command=['sh', '-ec', script],
        args=[rows, data.path, data.uri, written, ratio, full, names, shape],
    )


@dsl.component
def describe(rows: Input[Dataset], described: Output[Dataset]):
    import shutil
    shutil.copy(rows.path, described.path)
    described.metadata.update(source='sensor 7', count=3, nested={'a': [1, True]})


@dsl.container_component
def read_rows(data: Input[Dataset], last: OutputPath(str), metadata: OutputPath(str)):
    script = 'tail -n 1 "$0" > "$1"; [ -n "$2" ]; printf "%s" "$3, $4" > "$5"'
    return dsl.ContainerSpec(
        image=IMAGE,
        command=['sh', '-ec'],
        args=[script, data.path, last, data.uri, data.metadata['source'], data.metadata['count'], metadata],
    )


@dsl.pipeline
def container_placeholders(
    text: str = 'it\'s "quoted" $HOME `id` \\ {{$.inputs.parameters[\'count\']}} {{$}}',
) -> NamedTuple('Outputs', [('shown', str), ('written', int), ('ratio', float), ('full', bool), ('names', list), ('shape', dict), ('last', str), ('metadata', str)]):
    shown = show_values(
        count=3, big=9007199254740991, rate=0.5, small=1e-7, flag=True, text=f'{text}\nsecond line', items=[1, 2], options={'a': 'b c'})
    written = write_rows(rows=3)
    described = describe(rows=written.outputs['data'])
    read = read_rows(data=described.outputs['described'])
    fields = [('shown', str), ('written', int), ('ratio', float), ('full', bool), ('names', list), ('shape', dict),
              ('last', str), ('metadata', str)]
    return NamedTuple('Outputs', fields)(
        shown.outputs['shown'], *(written.outputs[name] for name, _ in fields[1:6]), read.outputs['last'],
        read.outputs['metadata'])
