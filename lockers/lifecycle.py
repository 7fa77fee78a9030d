"""The life of a parcel as one table: what happened to it, in the order of time. Pure.

Cabinets speak over bad networks: their messages come late, twice and out of order. So a parcel's
phase is never changed in place: it is worked out anew from everything that is known to have
happened, by the devices' own times, and comes out the same in whatever order it was heard.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class Phase(StrEnum):
    """Where a parcel is in its life."""

    EXPECTED = "expected"
    RESERVED = "reserved"
    READY = "ready"
    OVERDUE = "overdue"
    COLLECTED = "collected"
    RECLAIMED = "reclaimed"
    RETURNED = "returned"
    EXCEPTION = "exception"


class Step(StrEnum):
    """What may happen to a parcel; at one and the same instant in this order."""

    ANNOUNCED = "parcel.announced"
    HELD = "door.held"
    DEPOSITED = "parcel.deposited"
    RELEASED = "door.released"
    OVERDUE = "parcel.overdue"
    PROLONGED = "parcel.prolonged"
    EXCEPTED = "parcel.excepted"
    RESTORED = "parcel.restored"
    COLLECTED = "parcel.collected"
    REFUSED = "parcel.refused"
    RECLAIMED = "parcel.reclaimed"
    RETURNED = "parcel.returned"


INSIDE = frozenset({Phase.READY, Phase.OVERDUE})
"""The parcel waits behind its door for the recipient."""

ENDED = frozenset({Phase.COLLECTED, Phase.RECLAIMED, Phase.RETURNED})
"""The parcel has left the cabinet for good."""

REFUSED, NO_SCAN, CONFLICT = "refused", "courier-no-scan", "compartment-conflict"
STILL_INSIDE = frozenset({REFUSED, NO_SCAN, "damaged", "misdelivered"})
"""Reasons of an exception in which the parcel still lies in its compartment."""


class Turn(NamedTuple):
    """What a step makes of a phase; `anomaly` says that it should not have happened then."""

    phase: Phase
    anomaly: str | None = None
    reason: str | None = None


_P, _S = Phase, Step
_UNKNOWN = None

TABLE: dict[tuple[Phase | None, Step], Turn] = {
    (_UNKNOWN, _S.ANNOUNCED): Turn(_P.EXPECTED),
    (_UNKNOWN, _S.HELD): Turn(_P.RESERVED),
    (_UNKNOWN, _S.DEPOSITED): Turn(_P.EXCEPTION, NO_SCAN, NO_SCAN),
    (_UNKNOWN, _S.COLLECTED): Turn(_P.COLLECTED, "deposit-unseen"),
    (_UNKNOWN, _S.RECLAIMED): Turn(_P.RECLAIMED, "deposit-unseen"),
    (_UNKNOWN, _S.REFUSED): Turn(_P.EXCEPTION, "deposit-unseen", REFUSED),
    (_P.EXPECTED, _S.ANNOUNCED): Turn(_P.EXPECTED),
    (_P.EXPECTED, _S.HELD): Turn(_P.RESERVED),
    (_P.EXPECTED, _S.DEPOSITED): Turn(_P.READY),  # the hold had run out a moment before
    (_P.EXPECTED, _S.COLLECTED): Turn(_P.COLLECTED, "deposit-unseen"),
    (_P.EXPECTED, _S.RECLAIMED): Turn(_P.RECLAIMED, "deposit-unseen"),
    (_P.EXPECTED, _S.REFUSED): Turn(_P.EXCEPTION, "deposit-unseen", REFUSED),
    (_P.RESERVED, _S.HELD): Turn(_P.RESERVED),
    (_P.RESERVED, _S.RELEASED): Turn(_P.EXPECTED),
    (_P.RESERVED, _S.DEPOSITED): Turn(_P.READY),
    (_P.RESERVED, _S.COLLECTED): Turn(_P.COLLECTED, "deposit-unseen"),
    (_P.RESERVED, _S.RECLAIMED): Turn(_P.RECLAIMED, "deposit-unseen"),
    (_P.RESERVED, _S.REFUSED): Turn(_P.EXCEPTION, "deposit-unseen", REFUSED),
    (_P.READY, _S.OVERDUE): Turn(_P.OVERDUE),
    (_P.READY, _S.COLLECTED): Turn(_P.COLLECTED),
    (_P.READY, _S.REFUSED): Turn(_P.EXCEPTION, None, REFUSED),
    (_P.READY, _S.RECLAIMED): Turn(_P.RECLAIMED),
    (_P.OVERDUE, _S.PROLONGED): Turn(_P.READY),
    (_P.OVERDUE, _S.COLLECTED): Turn(_P.COLLECTED),
    (_P.OVERDUE, _S.REFUSED): Turn(_P.EXCEPTION, None, REFUSED),
    (_P.OVERDUE, _S.RECLAIMED): Turn(_P.RECLAIMED),
    (_P.COLLECTED, _S.REFUSED): Turn(_P.EXCEPTION, None, REFUSED),  # looked at it, put it back
    (_P.COLLECTED, _S.RECLAIMED): Turn(_P.COLLECTED, "reclaimed-after-collected"),
    (_P.RECLAIMED, _S.RETURNED): Turn(_P.RETURNED),
    (_P.RECLAIMED, _S.COLLECTED): Turn(_P.RECLAIMED, "collected-after-reclaimed"),
    (_P.RECLAIMED, _S.REFUSED): Turn(_P.RECLAIMED, "refused-after-reclaimed"),
    (_P.EXCEPTION, _S.RESTORED): Turn(_P.READY),
    (_P.EXCEPTION, _S.COLLECTED): Turn(_P.COLLECTED),
    (_P.EXCEPTION, _S.RECLAIMED): Turn(_P.RECLAIMED),
    (_P.EXCEPTION, _S.RETURNED): Turn(_P.RETURNED),
}

# What comes too late to matter: it was true when it was said, and something later is known.
_SILENT = frozenset({_S.ANNOUNCED, _S.HELD, _S.RELEASED, _S.OVERDUE, _S.PROLONGED, _S.DEPOSITED})
_AGAIN = {
    _P.COLLECTED: _S.COLLECTED,
    _P.RECLAIMED: _S.RECLAIMED,
    _P.RETURNED: _S.RETURNED,
    _P.EXCEPTION: _S.REFUSED,
}


@dataclass(frozen=True, slots=True)
class Happening:
    """One step of a parcel's life, by the device's clock; `reason` is that of an exception."""

    step: Step
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Life:
    """What is known of a parcel: phase and reason, its instants, and what does not fit."""

    phase: Phase | None = None
    reason: str | None = None
    reserved_at: datetime | None = None
    deposited_at: datetime | None = None
    ended_at: datetime | None = None
    anomalies: tuple[str, ...] = ()

    @property
    def takes_a_door(self) -> bool:
        """Whether a compartment is held for the parcel or has it inside."""
        if self.phase is Phase.EXCEPTION:
            return self.reason in STILL_INSIDE
        return self.phase is Phase.RESERVED or self.phase in INSIDE

    @property
    def waits(self) -> bool:
        """Whether the recipient can fetch it."""
        return self.phase in INSIDE


def life_of(happenings: Iterable[Happening]) -> Life:
    """What became of a parcel to which these things happened, in whatever order they are told."""
    life = Life()
    steps = list(Step)
    for happening in sorted(happenings, key=lambda h: (h.at, steps.index(h.step))):
        life = _after(life, happening)
    return life


def turn(phase: Phase | None, step: Step) -> Turn:
    """What a step makes of a phase; what is not in the table changes nothing."""
    found = TABLE.get((phase, step))
    if found:
        return found
    if step is Step.EXCEPTED and phase not in ENDED:
        return Turn(Phase.EXCEPTION)
    stays = phase or Phase.EXPECTED
    if step in _SILENT or _AGAIN.get(stays) is step:
        return Turn(stays)
    return Turn(stays, f"{step.value.partition('.')[2]}-while-{stays}")


def _after(life: Life, happening: Happening) -> Life:
    came = happening.step in {Step.HELD, Step.DEPOSITED}
    if came and life.phase in ENDED and life.deposited_at is None:
        # Nobody can have taken it out before it came: what was said to be its end was none.
        life = replace(life, phase=Phase.RESERVED if life.reserved_at else None, ended_at=None)
    phase, anomaly, reason = turn(life.phase, happening.step)
    if anomaly:
        life = replace(life, anomalies=(*life.anomalies, anomaly))
    if phase is Phase.EXCEPTION:
        reason = happening.reason or reason or life.reason
    if happening.step is Step.HELD and life.phase in {None, Phase.EXPECTED}:
        life = replace(life, reserved_at=happening.at)
    if happening.step is Step.DEPOSITED and life.deposited_at is None:
        life = replace(life, deposited_at=happening.at)
    ended = phase in ENDED and life.phase is not phase
    return replace(
        life,
        phase=phase,
        reason=reason if phase is Phase.EXCEPTION else None,
        ended_at=(happening.at if ended else life.ended_at) if phase in ENDED else None,
    )
