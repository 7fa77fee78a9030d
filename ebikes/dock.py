"""What a dock answers an e-bike: facts in, outcome out. Pure.

The rack has no gate: its rider chose the spot, so the answer is about that spot. Nothing here
reads or writes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from parking.terms import Terms

MINUTE = timedelta(minutes=1)

REPEAT = timedelta(seconds=10)
"""A card read again within this time is the same reading."""

NEEDS_A_PERSON = frozenset(
    {"blocked", "already-inside", "unknown-stay", "fire-compartment", "no-tariff"}
)
SETTLES = frozenset({"paid", "nothing-due", "balance-charged", "payment-due"})


@dataclass(frozen=True, slots=True)
class Spot:
    """The spot the e-bike stands at.

    `taken`: somebody else stands there or holds it now. `next_at` is when the next claim begins,
    `group_full_at` when the group is first full, perhaps now. `open_to_all`: it belongs to the
    community, or to this household.
    """

    id: int
    code: str
    in_service: bool
    charging: bool
    beside_cars: bool
    open_to_all: bool
    taken: bool
    next_at: datetime | None
    group_full_at: datetime | None


@dataclass(frozen=True, slots=True)
class Booked:
    """The e-bike's next confirmed booking in this lot, and how early it may come for it.

    `free_here` and `room_here` say whether this very spot and its group could have it.
    """

    id: int
    space_id: int
    space: str
    starts_at: datetime
    early: timedelta
    too_early: timedelta
    free_here: bool
    room_here: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """The open stay of the e-bike."""

    id: int
    right: str
    space: str | None
    entered_at: datetime
    entered_live: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """All that an answer depends on, read in one look.

    `since` is from when the spot would be held: when we give it, whatever the dock's clock says.
    """

    since: datetime
    spot: Spot | None
    stay: Standing | None
    booking: Booked | None
    terms: Terms
    blocked: bool
    takes_walk_ins: bool
    has_tariff: bool
    has_energy_prices: bool
    left_at: datetime | None = None
    left_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer; `again` repeats the one given a moment ago.

    `until` bounds the claim of a walk-in, `booking_id` is the booking an e-bike comes for.
    `space` is the spot to tell the rider of.
    """

    action: str
    reason: str
    space: str | None = None
    again: bool = False
    until: datetime | None = None
    booking_id: int | None = None

    @property
    def opens(self) -> bool:
        """Whether the dock lets the e-bike in or out."""
        return self.action == "open"

    @property
    def needs_a_person(self) -> bool:
        """Whether an operator must hear of it."""
        return self.reason in NEEDS_A_PERSON

    @property
    def settles(self) -> bool:
        """Whether what is owed was reckoned, so that it is charged."""
        return self.reason in SETTLES


def connected(facts: Facts, at: datetime) -> Outcome:
    """Answer an e-bike that is put into a spot at `at`."""
    spot, stay = facts.spot, facts.stay
    if spot is None:
        return _hold("no-such-spot")
    if stay:
        again = stay.entered_live and stay.space == spot.code and _just_now(stay.entered_at, at)
        if again:
            return Outcome("open", stay.right, stay.space, again=True)
        return _hold("already-inside", stay.space)
    if refusal := _unfit(facts, spot):
        return _hold(refusal, spot.code)
    booking = facts.booking
    if booking and at >= booking.starts_at - booking.early:
        return _booked(spot, booking)
    if booking and at >= booking.starts_at - booking.too_early:
        return _hold("too-early", booking.space)
    return _walk_in(facts, spot)


def released(
    facts: Facts, at: datetime, *, due_fen: int = 0, costs_fen: int = 0, balance_fen: int = 0
) -> Outcome:
    """Answer an e-bike that asks to leave its spot at `at`.

    `costs_fen` is what its stay and chargings cost, `due_fen` what of that is unpaid; its
    household's balance pays all of it or nothing.
    """
    spot, stay = facts.spot, facts.stay
    if spot is None:
        return _hold("no-such-spot")
    if stay is None:
        if facts.left_at and facts.left_reason and _just_now(facts.left_at, at):
            return Outcome("open", facts.left_reason, spot.code, again=True)
        return _hold("unknown-stay", spot.code)
    if stay.space is not None and stay.space != spot.code:
        return _hold("wrong-spot", stay.space)
    if due_fen <= 0:
        return Outcome("open", "paid" if costs_fen else "nothing-due", stay.space)
    if balance_fen >= due_fen:
        return Outcome("open", "balance-charged", stay.space)
    return _hold("payment-due", stay.space)


def _unfit(facts: Facts, spot: Spot) -> str | None:
    """Why no e-bike may stand there now, or not this one."""
    if facts.blocked:
        return "blocked"
    if not spot.in_service:
        return "out-of-service"
    if spot.charging and spot.beside_cars:
        return "fire-compartment"
    if spot.charging and not facts.has_energy_prices:
        return "no-tariff"
    return None


def _booked(spot: Spot, booking: Booked) -> Outcome:
    """To the booked spot, or to this one if it is as free."""
    if booking.free_here and booking.room_here:
        return Outcome("open", "booking", spot.code, booking_id=booking.id)
    if spot.id != booking.space_id:
        return _hold("wrong-spot", booking.space)
    return _hold("group-full" if booking.free_here else "spot-taken", spot.code)


def _walk_in(facts: Facts, spot: Spot) -> Outcome:
    if not facts.takes_walk_ins or not spot.open_to_all:
        return _hold("no-right", spot.code)
    if not facts.has_tariff:
        return _hold("no-tariff", spot.code)
    if spot.taken:
        return _hold("spot-taken", spot.code)
    if spot.group_full_at is not None and spot.group_full_at <= facts.since:
        return _hold("group-full", spot.code)
    until = facts.since + facts.terms.walk_in_hold_minutes * MINUTE
    for bound in (spot.next_at, spot.group_full_at):
        until = min(until, bound) if bound else until
    least = min(facts.terms.walk_in_least_minutes, facts.terms.walk_in_hold_minutes)
    if until - facts.since < least * MINUTE:
        return _hold("spot-booked", spot.code)
    return Outcome("open", "walk-in", spot.code, until=until)


def _just_now(moved_at: datetime, at: datetime) -> bool:
    return abs(at - moved_at) <= REPEAT


def _hold(reason: str, space: str | None = None) -> Outcome:
    return Outcome("hold", reason, space)
