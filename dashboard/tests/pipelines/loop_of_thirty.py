"""A loop in which an item fails while others are under way, beside a condition that is not met."""

from kfp import compiler, dsl


@dsl.component
def first() -> list:
    return list(range(30))


@dsl.component
def work(n: int, pause: float):
    import time

    time.sleep(pause)
    if n == 17:
        raise ValueError(f"item {n} is bad: the parser found nothing")


@dsl.component
def chatty():
    print("never said")


@dsl.pipeline(name="loop-of-thirty")
def loop_of_thirty(pause: float = 0.05):
    items = first()
    with dsl.ParallelFor(items.output, name="each item", parallelism=4) as n:
        work(n=n, pause=pause).set_caching_options(False)
    with dsl.If(pause == 99.0, name="never"):
        chatty()


if __name__ == "__main__":
    compiler.Compiler().compile(loop_of_thirty, __file__.removesuffix(".py") + ".yaml")
