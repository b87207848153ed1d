"""Texts that are replaced when a run is created; run it with macros as arguments."""

from kfp import dsl


@dsl.component
def check(run: str, job_id: str, now: str, day: str, fixed: str) -> str:
    import datetime
    import re
    assert run == f'run {job_id}', (run, job_id)
    assert re.fullmatch(r'\d{14}', now), now
    parsed = datetime.datetime.strptime(now, '%Y%m%d%H%M%S')
    assert abs(datetime.datetime.utcnow() - parsed) < datetime.timedelta(days=1), now
    assert day == f'on {parsed:%Y-%m-%d}', (day, now)
    assert fixed == '[[' + 'CurrentTime]]', fixed
    return 'ok'


@dsl.pipeline
def macros(run: str, now: str, day: str, fixed: str = '[[CurrentTime]]') -> str:
    """Macros in defaults are left alone; those in arguments are not."""
    return check(run=run, job_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER, now=now, day=day, fixed=fixed).output
