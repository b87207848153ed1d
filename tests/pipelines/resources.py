"""Resources and images as constants, from pipeline inputs and from the outputs of tasks."""

from kfp import dsl


@dsl.component
def choose_memory() -> str:
    return '512M'


@dsl.component
def train(rows: int) -> int:
    return rows * 2


@dsl.pipeline
def resources(cpu: str = '500m', image: str = 'python:3.11') -> int:
    small = train(rows=1).set_cpu_request('100m').set_cpu_limit('1').set_memory_request('64Mi').set_memory_limit('1G')
    memory = choose_memory()
    large = train(rows=small.output)
    large.set_cpu_request(cpu).set_cpu_limit(cpu)
    large.set_memory_request(memory.output).set_memory_limit(memory.output)
    return train(rows=large.output).set_container_image(image).output
