"""If, Elif and Else in a chain, alone and nested; comparisons of each type; branches that do not run are skipped."""

from typing import NamedTuple

from kfp import dsl


@dsl.component
def measure(value: float) -> NamedTuple('Measured', [('score', float), ('grade', str), ('errors', int), ('stable', bool)]):
    from typing import NamedTuple
    measured = NamedTuple('Measured', [('score', float), ('grade', str), ('errors', int), ('stable', bool)])
    return measured(value, 'good' if value > 0.5 else 'bad', int(value * 10), value > 0.5)


@dsl.component
def deploy(target: str) -> str:
    print(f'deploying to {target}')
    return target


@dsl.component
def must_not_run():
    raise AssertionError('a branch ran although its condition is false')


@dsl.pipeline
def if_elif_else(value: float = 0.75, limit: int = 5, note: str = 'it is') -> str:
    measured = measure(value=value)
    score, grade = measured.outputs['score'], measured.outputs['grade']
    errors, stable = measured.outputs['errors'], measured.outputs['stable']

    with dsl.If(score > 0.9, 'excellent'):
        must_not_run()
    with dsl.Elif(score >= 0.7, 'fair'):
        deploy(target='staging')
    with dsl.Else('poor'):
        must_not_run()

    with dsl.If(grade == 'good'):
        with dsl.If(stable == True):  # noqa: E712  (the comparison makes the condition)
            with dsl.If(errors > limit):
                deploy(target='canary')
            with dsl.If(errors <= limit):
                must_not_run()
        with dsl.If(stable == False):  # noqa: E712
            must_not_run()
    with dsl.If(grade != 'good'):
        must_not_run()
    with dsl.If('it is' == note, 'a quoted operand on the left'):
        deploy(target='notes')
    return grade
