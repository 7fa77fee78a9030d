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
    permit_id: int | None
    free_space: FreeSpace | None
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
    if facts.permit_id is None and not facts.takes_walk_ins:
        return _hold("no-right")
    if facts.permit_id is None and not facts.has_tariff:
        return _hold("no-tariff")
    if facts.free_space is None:
        return _hold("lot-full")
    right = "walk-in" if facts.permit_id is None else "permit"
    return Outcome("open", right, opens_stay=True, space=facts.free_space)


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
