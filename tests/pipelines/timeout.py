"""A task that takes longer than its deadline, and one that does not."""

from kfp import dsl, kubernetes


@dsl.component
def train(seconds: int) -> str:
    import time
    time.sleep(seconds)
    return 'trained'


@dsl.pipeline
def timeout():
    kubernetes.set_timeout(train(seconds=0), seconds=600)
    kubernetes.set_timeout(train(seconds=600), seconds=2)
