"""What a courier is answered who wants to leave a parcel: facts in, outcome out. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from lockers import allocation, consent
from lockers.allocation import Free
from lockers.consent import Asked, Consent
from lockers.lifecycle import INSIDE, Phase


@dataclass(frozen=True, slots=True)
class Before:
    """The same courier's same waybill, asked for before and not ended; and its door.

    `compartment` is None where that is elsewhere, broken, or was given for another size.
    """

    phase: Phase
    compartment: int | None


@dataclass(frozen=True, slots=True)
class Purse:
    """What the courier's company has prepaid, owes and may owe, and what this deposit costs."""

    balance_fen: int
    owed_fen: int
    credit_fen: int
    fee_fen: int

    @property
    def suffices(self) -> bool:
        """Whether one more deposit is covered."""
        return self.balance_fen + self.credit_fen - self.owed_fen >= self.fee_fen


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the answer depends on, read in one look; `purse` is None without a company."""

    history: bool
    in_service: bool
    camera_down: bool
    courier_active: bool
    courier_welcome: bool
    damaged: bool
    asked: Asked
    before: Before | None
    purse: Purse | None
    free: Sequence[Free]
    size: str
    low: bool
    keep_large: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer; `again` repeats a door that is held already."""

    action: str
    reason: str
    consent: Consent | None = None
    compartment: int | None = None
    again: bool = False

    @property
    def opens(self) -> bool:
        """Whether a door opens."""
        return self.action == "open"


def decide(facts: Facts) -> Outcome:
    """Answer a courier: which door opens, or why none does."""
    before = facts.before
    if facts.history:
        return _refuse("replayed")
    if before and (before.phase in INSIDE or before.phase is Phase.EXCEPTION):
        return _refuse("already-deposited")
    if refusal := _unfit(facts):
        return _refuse(refusal)
    allowed = consent.of(facts.asked)
    if allowed.answer != "yes":
        return _refuse(allowed.reason, allowed)
    if before and before.phase is Phase.RESERVED and before.compartment is not None:
        return Outcome("open", "deposit", allowed, before.compartment, again=True)
    if facts.purse and not facts.purse.suffices:
        return _refuse("courier-balance", allowed)
    number = allocation.choose(facts.free, facts.size, low=facts.low, keep_large=facts.keep_large)
    if number is None:
        return _refuse("cabinet-full", allowed)
    return Outcome("open", "deposit", allowed, number)


def _unfit(facts: Facts) -> str | None:
    """Why this cabinet takes nothing now, or not from this courier, or not this parcel."""
    if not facts.in_service:
        return "cabinet-closed"
    if facts.camera_down:
        return "camera-down"
    if not facts.courier_active:
        return "courier-blocked"
    if not facts.courier_welcome:
        return "courier-unknown"
    return "damaged" if facts.damaged else None


def _refuse(reason: str, allowed: Consent | None = None) -> Outcome:
    return Outcome("refuse", reason, allowed)
