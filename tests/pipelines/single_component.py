"""A component compiled on its own: the compiler gives it a root with one task."""

from kfp import dsl


@dsl.component
def single_component(hits: int, total: int = 8) -> float:
    """Accuracy of a classifier."""
    return hits / total
