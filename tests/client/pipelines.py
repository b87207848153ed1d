"""Pipelines that the scenarios submit: small, and quick as processes of one machine."""

from kfp import dsl


@dsl.component
def add(a: int, b: int) -> int:
    return a + b


@dsl.component
def fail_unless(path: str):
    import os

    if not os.path.exists(path):
        raise RuntimeError("the marker is not there")


@dsl.component
def sleep(seconds: int):
    import time

    time.sleep(seconds)


@dsl.pipeline(name="sums", description="Adds twice.")
def sums(x: int, y: int = 2) -> int:
    first = add(a=x, b=y)
    return add(a=first.output, b=10).output


@dsl.component
def say(text: str) -> str:
    return text


@dsl.pipeline(name="saying")
def saying(text: str = "nothing"):
    say(text=text).set_caching_options(False)


@dsl.pipeline(name="needs-marker")
def needs_marker(path: str):
    fail_unless(path=path).set_caching_options(False)


@dsl.pipeline(name="sleeper")
def sleeper(seconds: int = 600):
    sleep(seconds=seconds).set_caching_options(False)
