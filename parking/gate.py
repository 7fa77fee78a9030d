"""What the gate answers: facts in, outcome out. Pure.

An outcome says what to open, what to tell the driver, what becomes of the stay, what is
charged and paid, and whether a person should look. Nothing here reads or writes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from parking.fees import Bill, Owed, owed
from parking.plates import Plate

REPEAT = timedelta(seconds=10)
"""A camera retries within this time, and a car standing in the lane is read again."""

NEEDS_A_PERSON = frozenset(
    {
        "no-plate",
        "blocked",
        "already-inside",
        "lot-full",
        "unknown-stay",
        "no-right",
        "no-tariff",
    }
)


@dataclass(frozen=True, slots=True)
class FreeSpace:
    """A space that nobody claims."""

    id: int
    code: str


@dataclass(frozen=True, slots=True)
class HeldPermit:
    """A permit of the plate: whether it holds at this hour, and has a place left."""

    id: int
    holds_now: bool
    has_place: bool
    swap_minutes: int


@dataclass(frozen=True, slots=True)
class HeldBooking:
    """The plate's next booking; `ready` when its space is free from now on."""

    id: int
    replaces_own_space: bool
    starts_at: datetime
    early: timedelta
    too_early: timedelta
    space: FreeSpace
    ready: bool


@dataclass(frozen=True, slots=True)
class OpenStay:
    """The stay the plate is inside with."""

    id: int
    right: str
    entered_live: bool
    bill: Bill


@dataclass(frozen=True, slots=True)
class Facts:
    """All that an answer depends on, read in one look."""

    direction: str
    takes_walk_ins: bool
    has_tariff: bool
    blocked: bool
    permit: HeldPermit | None
    booked: HeldBooking | None
    free_space: FreeSpace | None
    own_space_free: bool
    has_room: bool
    stay: OpenStay | None
    left_at: datetime | None
    left_reason: str | None
    has_household: bool
    balance_fen: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer and its consequences; `again` repeats the answer given a moment ago."""

    action: str
    reason: str
    again: bool = False
    opens_stay: bool = False
    closes_stay: bool = False
    space: FreeSpace | None = None
    permit_id: int | None = None
    booking_id: int | None = None
    swap_until: datetime | None = None
    fee: Owed | None = None
    pay_from_balance_fen: int = 0

    @property
    def asked_fen(self) -> int:
        """The money the driver hears of: what is due, or what the balance just paid."""
        return self.pay_from_balance_fen or (self.fee.due_fen if self.fee else 0)

    @property
    def needs_a_person(self) -> bool:
        """Whether an operator must hear of it."""
        return self.reason in NEEDS_A_PERSON


def decide(facts: Facts, plate: Plate | None, at: datetime) -> Outcome:
    """Answer a vehicle that stands at the gate at `at`."""
    if plate is None:
        return _hold("no-plate")
    return _entry(facts, at) if facts.direction == "entry" else _exit(facts, at)


def _entry(facts: Facts, at: datetime) -> Outcome:
    if facts.stay:
        just_now = facts.stay.entered_live and _read_twice(facts.stay.bill.entered_at, at)
        return _again(facts.stay.right) if just_now else _hold("already-inside")
    if facts.blocked:
        return _hold("blocked")
    if facts.booked and (answer := _booked(facts, facts.booked, at)):
        return answer
    permit = facts.permit
    if permit and permit.holds_now and (permit.has_place or permit.swap_minutes):
        return _permitted(facts, permit, at)
    return _walk_in(facts)


def _booked(facts: Facts, booked: HeldBooking, at: datetime) -> Outcome | None:
    """What a booking means for its vehicle now; None when it means nothing yet.

    The booked space may not be free: another vehicle overstays there, or it is early. Then the
    vehicle gets another that is free until the booking ends.
    """
    early_by = booked.starts_at - at
    if booked.replaces_own_space and (facts.own_space_free or early_by > booked.early):
        return None
    if early_by > booked.early:
        waits = early_by <= booked.early + booked.too_early and facts.permit is None
        return _hold("too-early") if waits else None
    space = booked.space if booked.ready else facts.free_space
    if space is None:
        return _hold("too-early" if early_by > timedelta(0) else "lot-full")
    own = facts.permit.id if booked.replaces_own_space and facts.permit else None
    reason = "permit" if own else "booking"
    return Outcome(
        "open", reason, opens_stay=True, space=space, booking_id=booked.id, permit_id=own
    )


def _permitted(facts: Facts, permit: HeldPermit, at: datetime) -> Outcome:
    if facts.free_space is None:
        return _hold("lot-full")
    swap_until = None if permit.has_place else at + timedelta(minutes=permit.swap_minutes)
    return Outcome(
        "open",
        "permit",
        opens_stay=True,
        space=facts.free_space,
        permit_id=permit.id,
        swap_until=swap_until,
    )


def _walk_in(facts: Facts) -> Outcome:
    """Anybody; a permit whose hours have not begun covers the stay once they do."""
    if not facts.takes_walk_ins:
        return _hold("no-right")
    if not facts.has_tariff:
        return _hold("no-tariff")
    if facts.free_space is None or not facts.has_room:
        return _hold("lot-full")
    later = facts.permit.id if facts.permit and facts.permit.has_place else None
    return Outcome("open", "walk-in", opens_stay=True, space=facts.free_space, permit_id=later)


def _exit(facts: Facts, at: datetime) -> Outcome:
    if facts.stay is None:
        if facts.left_at and facts.left_reason and _read_twice(facts.left_at, at):
            return _again(facts.left_reason)
        return _hold("unknown-stay")
    fee = owed(facts.stay.bill, at)
    if fee.due_fen <= 0:
        return Outcome("open", _why_free(facts.stay, fee), closes_stay=True, fee=fee)
    if facts.has_household and facts.balance_fen >= fee.due_fen:
        return Outcome(
            "open",
            "balance-charged",
            closes_stay=True,
            fee=fee.paid(),
            pay_from_balance_fen=fee.due_fen,
        )
    return Outcome("hold", "payment-due", fee=fee)


def _why_free(stay: OpenStay, fee: Owed) -> str:
    if fee.total_fen:
        return "paid"
    return "permit" if stay.right == "permit" else "nothing-due"


def _read_twice(moved_at: datetime, at: datetime) -> bool:
    """The vehicle that was let through still stands in the lane."""
    return abs(at - moved_at) <= REPEAT


def _again(reason: str) -> Outcome:
    return Outcome("open", reason, again=True)


def _hold(reason: str) -> Outcome:
    return Outcome("hold", reason)
