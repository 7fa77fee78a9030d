"""The table of a run of bookings."""

from dataclasses import dataclass, field

from bench.load import Run
from bench.report import (
    FIGURES,
    Rounds,
    Verdict,
    busy,
    heads,
    judged,
    line,
    paired,
    rate,
    row,
    share,
)

LEAST_RATIO = 0.25


@dataclass(slots=True)
class Found:
    """Everything measured."""

    trips: dict[str, int]
    use_case: Rounds = field(default_factory=Rounds)
    http: Rounds = field(default_factory=Rounds)
    fixed: Rounds = field(default_factory=Rounds)
    pgbench: Rounds = field(default_factory=Rounds)
    hot_use_case: Run = field(default_factory=Run)
    hot_http: Run = field(default_factory=Run)


def show(found: Found, seconds: float) -> int:
    """Print it; the exit code: 0 when every target is met."""
    ours, http = found.use_case.each(rate), found.http.each(rate)
    booked = found.use_case.runs[-1].expected
    print(f"\nAllocate and book, {booked} bookings a round, medians of {len(ours)} rounds\n")
    print(heads("use case is", "HTTP is"))
    insert = found.pgbench.each(rate)
    print(line("(a) pgbench, the insert alone", found.pgbench) + share(ours, insert), end="")
    print(share(http, insert))
    print(line("(b) fixed JSON, plain Flask", found.fixed) + _blank(http, found.fixed))
    print(line("use case, 64 clients", found.use_case) + share(ours, ours) + share(http, ours))
    print(line("POST /api/v1/bookings", found.http) + f"{'':12}" + share(http, http))
    hot = {"use case": found.hot_use_case, "HTTP": found.hot_http}
    for name, run in hot.items():
        print(row(f"one hot hour, {name}, answers", [figure(run) for figure in FIGURES]))
    print(f"\nround trips to the database: booking {found.trips['booking']}; ", end="")
    run = found.hot_use_case
    print(f"in the hot hour {run.expected} booked, {run.answered - run.expected} refused")
    print(
        f"no space and no plate was booked twice in any round; the load generator used "
        f"{found.fixed.median(busy):.0%} of a core at (b), "
        f"{found.http.median(busy):.0%} at the route; {seconds:.0f} s in all\n"
    )
    return judged([_verdict(ours, insert)])


def _verdict(ours: list[float], ceiling: list[float]) -> Verdict:
    ratio = paired(ours, ceiling)
    return f"use case at least {LEAST_RATIO:.0%} of (a)", f"{ratio:.0%}", ratio >= LEAST_RATIO


def _blank(http: list[float], fixed: Rounds) -> str:
    return f"{'':12}" + share(http, fixed.each(rate))
