"""The table of a run at the lockers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.report import Rounds, Verdict, busy, heads, judged, line, paired, rate, share

SMALL, LARGE = 100, 10_000
MOST_SLOWER, MOST_TRIPS = 1.5, 4


def _at_each_size() -> dict[int, Rounds]:
    return {SMALL: Rounds(), LARGE: Rounds()}


@dataclass(slots=True)
class Found:
    """Everything measured; a parcel in or out is two requests."""

    trips: dict[str, int]
    parcels: int = 0
    fixed: Rounds = field(default_factory=Rounds)
    deposits: dict[int, Rounds] = field(default_factory=_at_each_size)
    pickups: dict[int, Rounds] = field(default_factory=_at_each_size)

    @property
    def ways(self) -> Mapping[str, Mapping[int, Rounds]]:
        """Both ways of a parcel, by their names."""
        return {"deposits": self.deposits, "pickups": self.pickups}

    def newest(self) -> str:
        """The rates of the last round."""
        return "   ".join(
            f"{name} at {size:,} {rounds.runs[-1].rate:6.0f}"
            for name, way in self.ways.items()
            for size, rounds in way.items()
        )


def show(found: Found, seconds: float) -> int:
    """Print it; the exit code: 0 when every target is met."""
    fixed = found.fixed.each(rate)
    print(
        f"\nParcels in and out, {found.parcels} a round of two requests each way, "
        f"medians of {len(fixed)} rounds\n"
    )
    print(heads("of (a)", "parcels/s"))
    print(line("(a) fixed JSON, plain Flask", found.fixed) + share(fixed, fixed))
    for name, way in found.ways.items():
        for size, rounds in way.items():
            told = line(f"{name} at {size:,} cabinets", rounds) + share(rounds.each(rate), fixed)
            print(f"{told}{rounds.median(rate) / 2:12.0f}")
    print("\nround trips to the database: ", end="")
    print(", ".join(f"{name} {n}" for name, n in found.trips.items()))
    print(
        f"every parcel had a door, a charge and a code of its own in every round; the load "
        f"generator used {found.fixed.median(busy):.0%} of a core at (a), "
        f"{found.deposits[LARGE].median(busy):.0%} at the deposits; {seconds:.0f} s in all\n"
    )
    return judged([*map(_flat, found.ways.items()), _few_trips(found)])


def _flat(way: tuple[str, Mapping[int, Rounds]]) -> Verdict:
    name, rounds = way
    slower = paired(rounds[SMALL].each(rate), rounds[LARGE].each(rate))
    target = f"{name} at {LARGE:,} <= {MOST_SLOWER} x slower"
    return target, f"{slower:.2f} x", slower <= MOST_SLOWER


def _few_trips(found: Found) -> Verdict:
    most = max(found.trips.values())
    return f"at most {MOST_TRIPS} round trips an event", str(most), most <= MOST_TRIPS
