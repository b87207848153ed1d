"""Files that travel within the component: a directory and a single file."""

import pathlib

from kfp import dsl
from kfp.dsl import Dataset

FILES = pathlib.Path(__file__).parent / 'embedded'


@dsl.component(embedded_artifact_path=str(FILES / 'lookup'))
def look_up(label: str, table: dsl.EmbeddedInput[Dataset]) -> int:
    import json
    import os
    with open(os.path.join(table.path, 'labels.json')) as file:
        return json.load(file)[label]


@dsl.component(embedded_artifact_path=str(FILES / 'notes.txt'))
def read_notes(number: int, notes: dsl.EmbeddedInput[Dataset]) -> str:
    with open(notes.path) as file:
        return f'{number}: {file.read()}'


@dsl.pipeline
def embedded_artifact(label: str = 'dog') -> str:
    return read_notes(number=look_up(label=label).output).output
