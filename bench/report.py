"""What all tables share: every figure beside its ceiling, every target with pass or missed."""

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.load import Run

NAME = 36
HEADS = ("per second", "p50 ms", "p99 ms", "app CPU ms", "db CPU ms")

Verdict = tuple[str, str, bool]
"""A target, what was reached, and whether that passes."""


@dataclass(slots=True)
class Rounds:
    """The rounds of one way, in order, so that those of two ways can be compared pairwise."""

    runs: list[Run] = field(default_factory=list)

    def add(self, run: Run) -> Run:
        """Note a round."""
        self.runs.append(run)
        return run

    def each(self, figure: Callable[[Run], float]) -> list[float]:
        """A figure of every round."""
        return [figure(run) for run in self.runs]

    def median(self, figure: Callable[[Run], float]) -> float:
        """The median of a figure over the rounds."""
        return statistics.median(self.each(figure))


def rate(run: Run) -> float:
    """Answers per second."""
    return run.rate


def busy(run: Run) -> float:
    """The share of one core that the load generator used."""
    return run.busy_seconds / run.seconds


def p50(run: Run) -> float:
    """Milliseconds within which half of the answers came."""
    return run.milliseconds(0.50)


def p99(run: Run) -> float:
    """Milliseconds within which 99 of 100 answers came."""
    return run.milliseconds(0.99)


def app_cpu(run: Run) -> float:
    """CPU milliseconds per answer of the app's processes."""
    return run.app_seconds / run.answered * 1000


def database_cpu(run: Run) -> float:
    """CPU milliseconds per answer of PostgreSQL's processes."""
    return run.database_seconds / run.answered * 1000


FIGURES = (rate, p50, p99, app_cpu, database_cpu)


def heads(*last: str) -> str:
    """The line above a table; `last` names the columns of ratios."""
    return " " * NAME + "".join(f"{head:>12}" for head in (*HEADS, *last))


def line(name: str, rounds: Rounds) -> str:
    """A way's figures, the medians of its rounds."""
    return row(name, [rounds.median(figure) for figure in FIGURES])


def row(name: str, figures: Sequence[float]) -> str:
    """A line of a table as wide as all five figures, whether they are there or not."""
    places = (0, 1, 1, 2, 2)
    cells = (
        " " * 12 if math.isnan(n) else f"{n:12.{digits}f}"
        for n, digits in zip(figures, places, strict=False)
    )
    return f"{f'{name:{NAME}}' + ''.join(cells):{NAME + 12 * len(FIGURES)}}"


def share(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """A cell with a ratio."""
    return f"{paired(ours, theirs):12.0%}"


def paired(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios round by round: neighbours in time share the machine's mood."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def judged(verdicts: Sequence[Verdict]) -> int:
    """Print every target; the exit code: 0 when all are met."""
    for target, reached, passed in verdicts:
        print(f"{target:{NAME}}{reached:>12}   {'pass' if passed else 'MISSED'}")
    return 0 if all(passed for *_, passed in verdicts) else 1
