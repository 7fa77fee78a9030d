"""An operator's hand on one parcel: open its door, take it out, send it back, set it aside.

Each is a step of the parcel's life with its reason, under the cabinet's lock; what is so already
is not done again.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import DictRow
from sqlalchemy.orm import Session

from core.db import Statement, driver, fetch_row, send
from core.errors import Problem, not_found
from core.sealing import unseal
from lockers import codes, custody, record
from lockers.custody import Premises
from lockers.lifecycle import INSIDE, Happening, Phase, Step
from lockers.pickups import STAFF
from lockers.record import Said

OPENS_FOR = timedelta(minutes=15)
NO_PHONE = "0000"
"""The tail that goes with a code for a parcel whose recipient's phone is unknown or erased."""

LONGEST_NAME = 64
MOMENT = timedelta(microseconds=1)

SET_ASIDE = ("damaged", "misdelivered", "lost", "missing")
"""Reasons for which an operator sets a parcel aside; lifecycle.STILL_INSIDE keep the door."""

STANDS = """
SELECT p.id, p.tracking_number, p.phase, p.reason, cab.code AS cabinet, k.number AS compartment,
    p.extra_free_hours, p.free_until,
    coalesce(r.charged_fen - r.paid_fen, 0) AS due_fen
FROM parcel p
LEFT JOIN cabinet cab ON cab.id = p.cabinet_id
LEFT JOIN compartment k ON k.parcel_id = p.id
LEFT JOIN receivable r ON r.source = 'parcel' AND r.source_id = p.id
WHERE p.id = %(parcel)s
"""


@dataclass(frozen=True, slots=True)
class OpenCode:
    """A code for staff, in the only place where it is shown."""

    phone_tail: str
    code: str
    expires_at: datetime


def stands(session: Session, parcel_id: int) -> DictRow:
    """How a parcel stands: phase, door, and what is due for it; Problem 404."""
    row = fetch_row(driver(session), (STANDS, {"parcel": parcel_id}))
    if row is None:
        raise not_found("parcel")
    return row


def open_code(
    session: Session, parcel_id: int, reason: str, person_id: int, said: Said, ours: Premises
) -> OpenCode:
    """A code that opens the parcel's door once, within 15 minutes, for whoever works here.

    A further one kills the one before. Problem 404; 409 when the parcel has no door.
    """
    connection = driver(session)
    row = custody.in_hand(connection, parcel_id)
    door_id, now = row["own_id"], said.now
    if door_id is None:
        raise Problem(409, "no-door", "This parcel has no compartment.")
    code = codes.new_code(ours.secret_key, (row["recipient_phone"] or NO_PHONE)[-4:])
    expires_at = now + OPENS_FOR
    sql, given = record.code_given(
        parcel_id,
        row["cabinet_id"],
        code,
        now,
        kind=STAFF,
        name=reason[:LONGEST_NAME],
        expires_at=expires_at,
        by=person_id,
    )
    statements = [
        record.codes_ended(parcel_id, "reissued", now, kind=STAFF),
        (sql, {**given, "sealed": None}),  # shown once: nobody reads it from here again
        record.happened(parcel_id, "manual.open", said, compartment=row["own_number"], why=reason),
        record.happened_at_door(door_id, "manual.open", said, parcel_id=parcel_id, why=reason),
    ]
    send(connection, statements)
    return OpenCode(code.phone_tail, unseal(ours.secret_key, code.sealed), expires_at)


def remove(
    session: Session,
    parcel_id: int,
    said: Said,
    ours: Premises,
    *,
    reason: str,
    photo: str,
    witness: str,
) -> None:
    """An operator has taken the parcel out, with a photo and before a witness; nothing is charged.

    Problem 404; 409 when it is not inside.
    """
    connection = driver(session)
    row = custody.in_hand(connection, parcel_id)
    phase = Phase(row["phase"])
    if phase is Phase.RECLAIMED:
        return
    if phase not in INSIDE and phase is not Phase.EXCEPTION:
        raise _not_now("not-inside", "Only a parcel that is inside can be taken out.", phase)
    proof = {"why": reason, "photo": photo, "witness": witness}
    send(connection, step(row, Step.RECLAIMED, said, ours, by=STAFF, **proof))


def give_back(session: Session, parcel_id: int, said: Said, ours: Premises, *, reason: str) -> None:
    """The parcel goes back to its sender. Problem 404; 409 unless it was taken out or set aside."""
    connection = driver(session)
    row = custody.in_hand(connection, parcel_id)
    phase = Phase(row["phase"])
    if phase is Phase.RETURNED:
        return
    if phase not in {Phase.RECLAIMED, Phase.EXCEPTION}:
        raise _not_now("not-taken-out", "Take the parcel out before it is returned.", phase)
    send(connection, step(row, Step.RETURNED, said, ours, why=reason))


def set_aside(
    session: Session,
    parcel_id: int,
    said: Said,
    ours: Premises,
    *,
    reason: str,
    note: str | None = None,
) -> None:
    """Something is wrong with the parcel, for one of SET_ASIDE: its codes open nothing any more.

    Problem 404; 409 when it has not come here yet, or has left.
    """
    connection = driver(session)
    row = custody.in_hand(connection, parcel_id)
    phase = Phase(row["phase"])
    if phase is Phase.EXCEPTION and row["reason"] == reason:
        return
    if phase not in INSIDE and phase not in {Phase.RESERVED, Phase.EXCEPTION}:
        raise _not_now("not-here", "This parcel is not at a cabinet.", phase)
    more = {"why": note} if note else {}
    send(connection, step(row, Step.EXCEPTED, said, ours, reason=reason, **more))


def step(
    row: DictRow,
    what: Step,
    said: Said,
    ours: Premises,
    *,
    reason: str | None = None,
    **data: Any,
) -> list[Statement]:
    """The statements for a step that a person says has happened, to the parcel of a look's row.

    It comes after all that is known, for people speak of the record as they see it.
    """
    known = [happening.at + MOMENT for happening in custody.happenings(row)]
    at = max([said.at, *known])
    where = {"compartment": row["door_number"]}
    happening = Happening(what, at, reason)
    return custody.happens(row, happening, replace(said, at=at), ours, **where, **data)


def _not_now(code: str, detail: str, phase: Phase) -> Problem:
    return Problem(409, code, detail, phase=str(phase))
