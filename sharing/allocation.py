"""Which free space a vehicle gets, and in which order those who wait are served. Pure.

The cost of a space is compared in this order, the least first:

1. what is scarce and not asked for: one for a charger, one for an accessible space;
2. unusable minutes: those of each gap left to a neighbouring claim that nobody can book, because
   it is shorter than the shortest booking;
3. the wish to be near a building, missed;
4. the lot's preference for community or for private spaces, missed;
5. leftover: the minutes of the smaller gap, then of the larger; a side without a neighbour within
   the horizon is larger than any gap;
6. the number of the space.

Scarce spaces come first because somebody else may have no other place at all; unusable minutes
come before what people like because they are lost to everybody; a tight leftover keeps the long
free times whole for long bookings; the number makes the choice the same whoever asks. Nobody
knows tomorrow's bookings: where far more is asked than there is, the second line keeps every
minute bookable at the price of some longer booking that a mere tightest fit would have taken.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, NamedTuple

Cost = tuple[int, int, bool, bool, int, int, int]

_OPEN_SIDE = 1 << 40
"""Minutes a side without a neighbour counts for: more than any gap has."""


class Candidate(NamedTuple):
    """A space that is free for all of the wanted time.

    Gaps are minutes to the neighbouring claim, None when there is none within the horizon.
    `group_free` counts the places left in an e-bike group over the wanted time, `beside_cars`
    says that the spot lies in a fire compartment of the car garage. A named tuple because some
    hundreds are made while a request waits, at a quarter of what a frozen dataclass costs.
    """

    space_id: int
    private: bool
    gap_before_minutes: int | None
    gap_after_minutes: int | None
    charging: bool = False
    accessible: bool = False
    building: str | None = None
    group_id: int | None = None
    group_free: int | None = None
    beside_cars: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """What the vehicle needs (a charger, an accessible space) and what would be liked.

    `least_minutes` is the shortest booking of the lot, `prefer` the lot's policy.
    """

    charging: bool = False
    accessible: bool = False
    near: str | None = None
    prefer: Literal["community", "private"] = "community"
    kind: Literal["car", "ebike"] = "car"
    least_minutes: int = 30


@dataclass(frozen=True, slots=True)
class Waiting:
    """One entry of a waitlist; `used_minutes` are those of its household this month."""

    entry_id: int
    household_id: int
    used_minutes: int


def allowed(candidate: Candidate, wish: Wish) -> str | None:
    """Why the vehicle must not stand there, as a slug; None when it may.

    E-bikes: groups have a capacity, and no charging spot may share a fire compartment with the
    car garage, whether or not this vehicle would charge (fire rules, domain/parking.md §6).
    """
    if wish.kind == "ebike":
        if candidate.group_free is not None and candidate.group_free <= 0:
            return "group-full"
        if candidate.charging and candidate.beside_cars:
            return "fire-compartment"
    if wish.charging and not candidate.charging:
        return "no-charger"
    if wish.accessible and not candidate.accessible:
        return "not-accessible"
    return None


def ranked(candidates: Iterable[Candidate], wish: Wish) -> list[int]:
    """The ids of the allowed spaces, best first; the same whatever order they are given in."""
    return [cost[-1] for cost in sorted(_costs(candidates, wish))]


def choose(candidates: Iterable[Candidate], wish: Wish) -> int | None:
    """The id of the best allowed space, None when there is none."""
    best = min(_costs(candidates, wish), default=None)
    return None if best is None else best[-1]


def served_order(waiting: Sequence[Waiting], seed: str | None) -> list[int]:
    """The ids of the entries in the order in which they are served.

    Without a seed: first come, first served, by number. With one: the household that used least
    comes first. Households that used the same are drawn, and take turns if they wait with
    several entries. Anyone can repeat the draw: the lot of household 17 under the seed
    `2026-09-07/B2` is what `printf '%s' 2026-09-07/B2/17 | sha256sum` prints, and the smallest
    comes first. A seed is fair when nobody could know it before the entries were made.
    """
    if seed is None:
        return sorted(entry.entry_id for entry in waiting)
    turns: defaultdict[int, int] = defaultdict(int)
    drawn = []
    for entry in sorted(waiting, key=lambda entry: entry.entry_id):
        household = entry.household_id
        turns[household] += 1
        lot = sha256(f"{seed}/{household}".encode()).hexdigest()
        drawn.append((entry.used_minutes, turns[household], lot, entry.entry_id))
    return [entry_id for *_, entry_id in sorted(drawn)]


def _costs(candidates: Iterable[Candidate], wish: Wish) -> list[Cost]:
    """One comparable cost for each allowed space, its id last. Runs while a request waits."""
    least, near, private = wish.least_minutes, wish.near, wish.prefer == "private"
    spare_charger, spare_accessible = not wish.charging, not wish.accessible
    fit = [candidate for candidate in candidates if not allowed(candidate, wish)]
    costs = []
    for space_id, is_private, before, after, charging, accessible, building, _, _, _ in fit:
        smaller, larger = _OPEN_SIDE if before is None else before, _OPEN_SIDE
        if after is not None:
            smaller, larger = (smaller, after) if smaller < after else (after, smaller)
        costs.append(
            (
                (charging and spare_charger) + (accessible and spare_accessible),
                (smaller if smaller < least else 0) + (larger if larger < least else 0),
                near is not None and building != near,
                is_private is not private,
                smaller,
                larger,
                space_id,
            )
        )
    return costs
