"""The table of a run at the gate."""

import statistics
from dataclasses import dataclass, field

from bench import trips
from bench.load import Run
from bench.report import (
    FIGURES,
    Rounds,
    Verdict,
    busy,
    heads,
    judged,
    line,
    p99,
    paired,
    rate,
    row,
    share,
)

LEAST_RATIO, MOST_P99_RATIO, MOST_TRIPS = 0.50, 6.0, 4


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
    print(heads("gate is"))
    ways = {
        "(a) fixed JSON, plain Flask": found.fixed,
        "(c) bare view, one SQL function": found.bare,
        "gate": found.gate,
    }
    for name, rounds in ways.items():
        print(line(name, rounds) + share(rates, rounds.each(rate)))
    only = row("(b) pgbench, the same function", [statistics.median(found.pgbench)])
    print(only + share(rates, found.pgbench))
    for name, run in found.exits.items():
        print(row(name, [figure(run) for figure in FIGURES]))
    print("\nround trips to the database: ", end="")
    print(", ".join(f"{name} {n}" for name, n in found.trips.items()))
    print(
        f"the load generator used {found.fixed.median(busy):.0%} of a core at (a), "
        f"{found.gate.median(busy):.0%} at the gate; {seconds:.0f} s in all\n"
    )
    return judged(_verdicts(found))


def _verdicts(found: Found) -> list[Verdict]:
    ratio = paired(found.gate.each(rate), found.bare.each(rate))
    slower = paired(found.gate.each(p99), found.bare.each(p99))
    most = max(found.trips[name] for name in trips.LIVE)
    return [
        ("gate at least 50 % of (c)", f"{ratio:.0%}", ratio >= LEAST_RATIO),
        ("gate p99 below 6 x p99 of (c)", f"{slower:.1f} x", slower < MOST_P99_RATIO),
        ("at most 4 round trips, live events", str(most), most <= MOST_TRIPS),
    ]
