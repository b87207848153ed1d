"""A table of figures, and the page that it goes to."""

import dataclasses
import statistics
import sys


@dataclasses.dataclass
class Row:
    """One line of the table."""

    what: str
    goal: str
    ours: str
    beside: str = ''
    met: bool | None = None

    def text(self) -> str:
        verdict = {True: 'yes', False: '**no**', None: ''}[self.met]
        return f'| {self.what} | {self.goal} | {self.ours} | {verdict} | {self.beside} |'


def spread(values: list[float], unit: str, factor: float = 1.0, digits: int = 2) -> str:
    middle, low, high = (value * factor for value in (statistics.median(values), min(values), max(values)))
    return f'{middle:.{digits}f} {unit} ({low:.{digits}f} to {high:.{digits}f})'


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def progress(text: str) -> None:
    print(f'bench: {text}', file=sys.stderr, flush=True)


def table(rows: list[Row]) -> str:
    head = '| what | goal | Penstock | met | beside it |\n|---|---|---|---|---|'
    return '\n'.join([head, *(row.text() for row in rows)])


def write_between_marks(path: str, marks: tuple[str, str], text: str) -> None:
    with open(path) as file:
        before, _, rest = file.read().partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not end:
        sys.exit(f'error: {path} lacks the marks {marks[0]} and {marks[1]}')
    with open(path, 'w') as file:
        file.write(f'{before}{marks[0]}\n\n{text}\n\n{marks[1]}{after}')
