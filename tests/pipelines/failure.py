"""A task fails: what needs it does not run, what does not need it goes on, and the run fails."""

from kfp import dsl


@dsl.component
def validate(rows: int) -> int:
    assert rows > 0, f'{rows} rows: the dataset is empty'
    return rows


@dsl.component
def train(rows: int) -> str:
    return f'trained on {rows} rows'


@dsl.component
def publish(text: str) -> str:
    return text


@dsl.pipeline
def failure(rows: int = 0) -> str:
    good = train(rows=8).set_display_name('Train on known data')
    publish(text=good.output)
    validated = validate(rows=rows)
    return publish(text=train(rows=validated.output).output).output
