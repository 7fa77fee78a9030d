"""The table of a run: every figure beside its ceiling, every target with pass or missed."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from bench import trips
from bench.load import Run

LEAST_RATIO, MOST_P99_RATIO, MOST_TRIPS = 0.50, 6.0, 4
NAME = 34


@dataclass(slots=True)
class Rounds:
    """The rounds of one way, in order, so that those of two ways can be compared pairwise."""

    runs: list[Run] = field(default_factory=list)

    def add(self, run: Run) -> None:
        """Note a round."""
        self.runs.append(run)

    def each(self, figure: Callable[[Run], float]) -> list[float]:
        """A figure of every round."""
        return [figure(run) for run in self.runs]

    def median(self, figure: Callable[[Run], float]) -> float:
        """The median of a figure over the rounds."""
        return statistics.median(self.each(figure))


@dataclass(slots=True)
class Found:
    """Everything measured."""

    entries: int = 0
    fixed: Rounds = field(default_factory=Rounds)
    bare: Rounds = field(default_factory=Rounds)
    gate: Rounds = field(default_factory=Rounds)
    pgbench: list[float] = field(default_factory=list)
    exits: dict[str, Run] = field(default_factory=dict)
    trips: dict[str, int] = field(default_factory=dict)


def show(found: Found, seconds: float) -> int:
    """Print it; the exit code: 0 when every target is met."""
    rates = found.gate.each(rate)
    print(f"\nGate entry, {found.entries} walk-ins a round, medians of {len(rates)} rounds\n")
    heads = ("per second", "p50 ms", "p99 ms", "app CPU ms", "db CPU ms", "gate is")
    print(" " * NAME + "".join(f"{head:>12}" for head in heads))
    ways = {
        "(a) fixed JSON, plain Flask": found.fixed,
        "(c) bare view, one SQL function": found.bare,
        "gate": found.gate,
    }
    for name, rounds in ways.items():
        print(_row(name, [rounds.median(f) for f in FIGURES]) + _share(rates, rounds.each(rate)))
    only = _row("(b) pgbench, the same function", [statistics.median(found.pgbench)])
    print(f"{only:{NAME + 12 * len(FIGURES)}}" + _share(rates, found.pgbench))
    for name, run in found.exits.items():
        print(_row(name, [figure(run) for figure in FIGURES]))
    print("\nround trips to the database: ", end="")
    print(", ".join(f"{name} {n}" for name, n in found.trips.items()))
    print(
        f"the load generator used {found.fixed.median(busy):.0%} of a core at (a), "
        f"{found.gate.median(busy):.0%} at the gate; {seconds:.0f} s in all\n"
    )
    passed = [_verdict(*line) for line in _verdicts(found)]
    return 0 if all(passed) else 1


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
    """CPU milliseconds per answer of the web server's processes."""
    return run.app_seconds / run.answered * 1000


def database_cpu(run: Run) -> float:
    """CPU milliseconds per answer of PostgreSQL's processes."""
    return run.database_seconds / run.answered * 1000


FIGURES = (rate, p50, p99, app_cpu, database_cpu)


def _verdicts(found: Found) -> list[tuple[str, str, bool]]:
    ratio = _paired(found.gate.each(rate), found.bare.each(rate))
    slower = _paired(found.gate.each(p99), found.bare.each(p99))
    most = max(found.trips[name] for name in trips.LIVE)
    return [
        ("gate at least 50 % of (c)", f"{ratio:.0%}", ratio >= LEAST_RATIO),
        ("gate p99 below 6 x p99 of (c)", f"{slower:.1f} x", slower < MOST_P99_RATIO),
        ("at most 4 round trips, live events", str(most), most <= MOST_TRIPS),
    ]


def _verdict(target: str, reached: str, passed: bool) -> bool:
    print(f"{target:{NAME}}{reached:>12}   {'pass' if passed else 'MISSED'}")
    return passed


def _row(name: str, figures: list[float]) -> str:
    places = (0, 1, 1, 2, 2)
    cells = (f"{n:12.{digits}f}" for n, digits in zip(figures, places, strict=False))
    return f"{name:{NAME}}" + "".join(cells)


def _share(ours: list[float], theirs: list[float]) -> str:
    return f"{_paired(ours, theirs):12.0%}"


def _paired(ours: list[float], theirs: list[float]) -> float:
    """The median of the ratios round by round: neighbours in time share the machine's mood."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
