"""A notebook as component, with parameters put into its tagged cell."""

import pathlib

from kfp import dsl

NOTEBOOK = pathlib.Path(__file__).parent / 'embedded' / 'train.ipynb'


@dsl.notebook_component(notebook_path=str(NOTEBOOK))
def train(rate: float) -> str:
    import os
    import tempfile
    result = os.path.join(tempfile.mkdtemp(), 'result.txt')
    dsl.run_notebook(rate=rate, result=result)
    with open(result) as file:
        return file.read()


@dsl.pipeline
def notebook(rate: float = 0.5) -> str:
    return train(rate=rate).output
