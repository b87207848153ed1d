"""What became of the cases of Kubeflow's API suites, and the page that says it."""

import collections
import contextlib
import dataclasses
import datetime
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


@dataclasses.dataclass
class Case:
    """One case of a suite, and what became of it: passed, failed, skipped or pending."""

    suite: str
    group: str
    name: str
    state: str
    message: str = ''


@dataclasses.dataclass(frozen=True)
class Place:
    """Where Penstock is when the suites ask it: `machine` or `kubernetes`, as explanations of failures are listed."""

    key: str

    def marks(self) -> tuple[str, str]:
        """What its results on the page are between."""
        where = 'one machine' if self == MACHINE else 'Kubernetes'
        return f'<!-- results on {where}: written by `make conformance-api` -->', f'<!-- end of results on {where} -->'

    def explanation(self, case: Case) -> str:
        return next((reason for part, reason in self._known().items() if part in f'{case.suite} {case.name}'), '')

    def outdated(self, cases: list[Case]) -> list[str]:
        """Explanations that no case needs any more."""
        states = {part: {case.state for case in cases if part in f'{case.suite} {case.name}'} for part in self._known()}
        return [part for part, found in states.items() if 'passed' in found and 'failed' not in found]

    def _known(self) -> dict[str, str]:
        with open(os.path.join(HERE, 'api_differences.json')) as file:
            return json.load(file)[self.key]


MACHINE = Place('machine')
KUBERNETES = Place('kubernetes')


@dataclasses.dataclass
class Results:
    """The newest cases of each suite in one place, with the day and what they ran against."""

    cases: list[Case]
    days: dict[str, str]
    against: dict[str, str]


def keep(place: Place, folder: str, against: str, cases: list[Case]) -> None:
    """Beside the suite, until it is run again in this place."""
    with open(os.path.join(folder, f'cases-{place.key}.json'), 'w') as file:
        json.dump({'date': str(datetime.date.today()), 'against': against,
                   'cases': [dataclasses.asdict(case) for case in cases]}, file)


def kept(place: Place, folders: dict[str, str]) -> Results:
    """Of all suites that were ever run there."""
    results = Results([], {}, {})
    for suite, folder in folders.items():
        with contextlib.suppress(FileNotFoundError), open(os.path.join(folder, f'cases-{place.key}.json')) as file:
            found = json.load(file)
            results.cases += [Case(**case) for case in found['cases']]
            results.days[suite] = found['date']
            results.against[suite] = found.get('against', '')
    return results


def page(place: Place, results: Results, suites: str, sdk: str) -> str:
    lines = [f'Suites of kubeflow/pipelines at {suites}. What samples install is kfp {sdk} instead of a branch of the SDK.']
    lines += ['', *_against(results), '', *_groups(results)]
    if place == MACHINE:
        failed = [case for case in results.cases if case.state == 'failed']
        lines += ['', '| failed | why |', '|---|---|'] if failed else []
        lines += [f'| `{case.suite}` {case.name} | {_why(place, case)} |' for case in failed]
        return '\n'.join(lines)
    lines += ['', '| case | | why |', '|---|---|---|']
    for case in (case for case in results.cases if case.state != 'pending'):
        name = case.name.removeprefix(case.group).strip(' >')
        lines.append(f'| `{case.suite}` {name} | {case.state} | {_why(place, case) if case.state == "failed" else ""} |')
    return '\n'.join(lines)


def _why(place: Place, case: Case) -> str:
    return place.explanation(case) or '**not explained**'


def _against(results: Results) -> list[str]:
    """One line for all suites that ran against the same."""
    by_what = collections.defaultdict(list)
    for suite, against in results.against.items():
        by_what[against].append(f'`{suite}`')
    return [f'{", ".join(suites)} against {against}.' for against, suites in by_what.items()]


def _groups(results: Results) -> list[str]:
    groups: dict[tuple[str, str], collections.Counter] = {}
    for case in results.cases:
        groups.setdefault((case.suite, case.group), collections.Counter())[case.state] += 1
    lines = ['| suite | on | group | passed | failed | skip themselves | empty upstream |', '|---|---|---|---|---|---|---|']
    empty = collections.Counter()
    for (suite, group), counts in groups.items():
        if set(counts) == {'pending'}:
            empty[suite] += counts['pending']
            continue
        numbers = ' | '.join(str(counts[state]) for state in ('passed', 'failed', 'skipped', 'pending'))
        lines.append(f'| `{suite}` | {results.days[suite]} | {group} | {numbers} |')
    lines += [f'| `{suite}` | {results.days[suite]} | groups of empty cases only | 0 | 0 | 0 | {count} |'
              for suite, count in empty.items()]
    return lines


def write(path: str, place: Place, text: str) -> None:
    begin, stop = place.marks()
    with open(path) as file:
        before, _, rest = file.read().partition(begin)
    _, end, after = rest.partition(stop)
    if not end:
        sys.exit(f'error: {path} lacks the marks {begin} and {stop}')
    with open(path, 'w') as file:
        file.write(f'{before}{begin}\n\n{text}\n\n{stop}{after}')
