"""A parcel that was set aside by mistake, found again, or left without a scan is made ready."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from psycopg.rows import DictRow
from sqlalchemy.orm import Session

from core.db import Connection, Statement, driver, send
from core.errors import Problem, not_found
from core.logs import mask
from inspection import relief
from inspection.by_hand import step
from inspection.corrections import Desk
from lockers import custody, record
from lockers.consent import DESK
from lockers.lifecycle import Phase, Step, life_of
from lockers.look import RECIPIENT
from parcels.complaints import COMPLAINT

HOUR = timedelta(hours=1)

GIVE = f"""
UPDATE parcel p SET recipient_phone = %(phone)s, recipient_id = recipient.recipient_id,
    household_id = recipient.household_id, consent = '{DESK}'
FROM (VALUES (1)) this {RECIPIENT}
WHERE p.id = %(parcel)s
"""  # noqa: S608 - constants of ours

# It waits anew: what was told and asked about it before does not count. What nobody scanned came
# under the rules of that time, too.
AFRESH = """
UPDATE parcel p SET reminded = NULL, reminded_at = NULL, reclaim_asked_at = NULL,
    removal_asked_at = NULL, terms_id = coalesce(p.terms_id, (
        SELECT id FROM locker_terms WHERE valid_from <= coalesce(p.deposited_at, p.recorded_at)
        ORDER BY valid_from DESC LIMIT 1))
WHERE p.id = %(parcel)s
"""

# A complaint is answered by itself, in words of its own.
RESOLVE = """
UPDATE exception_case SET resolved_at = %(now)s, resolved_by = %(person)s, resolution = %(why)s
WHERE subject = 'parcel' AND subject_id = %(parcel)s AND reason <> %(complaint)s
  AND resolved_at IS NULL
"""


def restore(
    session: Session,
    parcel_id: int,
    desk: Desk,
    *,
    reason: str,
    compartment: int | None = None,
    recipient_phone: str | None = None,
) -> None:
    """The recipient of an exception can fetch it after all, by a new code; its cases are resolved.

    `recipient_phone` says whose it is where that was unknown or wrong; whoever is given a parcel
    so was not asked before it came. `compartment` says where it lies, needed where the record
    names no door. The time in which nobody could fetch it costs nothing. Problem 404; 409
    `no-exception`, `recipient-needed`, `compartment-needed`, `compartment-taken`.
    """
    connection = driver(session)
    row = _exception(connection, parcel_id, compartment)
    since = _set_aside_at(row)
    if recipient_phone not in {None, row["recipient_phone"]}:
        send(connection, list(_given(row, str(recipient_phone), desk)))
        since = row["deposited_at"]
    elif row["recipient_phone"] is None:
        raise Problem(409, "recipient-needed", "Say whose it is: nobody could be told.")
    send(connection, [(AFRESH, {"parcel": parcel_id}), _resolved(parcel_id, reason, desk)])
    row = _deposited(connection, custody.in_hand(connection, parcel_id, compartment), desk)
    send(connection, list(_spared(row, since, reason, desk)))
    row = custody.in_hand(connection, parcel_id, compartment)
    send(connection, step(row, Step.RESTORED, desk.said, desk.ours, why=reason))


def _exception(connection: Connection, parcel_id: int, compartment: int | None) -> DictRow:
    """A parcel that was set aside, to ourselves, with the door it has or is said to have."""
    row = custody.in_hand(connection, parcel_id, compartment)
    if row["phase"] != Phase.EXCEPTION:
        detail = "Only a parcel that was set aside can be made ready."
        raise Problem(409, "no-exception", detail, phase=row["phase"])
    if row["door_id"] is None and compartment is not None:
        raise not_found("compartment")
    if row["door_id"] is None:
        raise Problem(409, "compartment-needed", "Say behind which door of the cabinet it lies.")
    if row["door_parcel_id"] not in {None, parcel_id}:
        raise Problem(409, "compartment-taken", "Another parcel is recorded behind this door.")
    return row


def _set_aside_at(row: DictRow) -> datetime | None:
    """Since when nobody could fetch it."""
    known = sorted(custody.happenings(row), key=lambda happening: happening.at)
    since = None
    for count, happening in enumerate(known, start=1):
        aside = life_of(known[:count]).phase is Phase.EXCEPTION
        since = (since or happening.at) if aside else None
    return since


def _given(row: DictRow, phone: str, desk: Desk) -> Iterator[Statement]:
    parcel_id = row["parcel_id"]
    yield GIVE, {"parcel": parcel_id, "phone": phone}
    yield record.happened(parcel_id, "consent.given", desk.said, basis=DESK, phone=mask(phone))


def _resolved(parcel_id: int, why: str, desk: Desk) -> Statement:
    return RESOLVE, {
        "parcel": parcel_id,
        "complaint": COMPLAINT,
        "now": desk.said.now,
        "person": desk.person_id,
        "why": why,
    }


def _deposited(connection: Connection, row: DictRow, desk: Desk) -> DictRow:
    """Its row; what nobody saw being put in was put in by now."""
    if row["deposited_at"] is not None:
        return row
    send(connection, step(row, Step.DEPOSITED, desk.said, desk.ours))
    return custody.in_hand(connection, row["parcel_id"], row["door_number"])


def _spared(row: DictRow, since: datetime | None, why: str, desk: Desk) -> Iterator[Statement]:
    """The hours since then, begun ones too, are added to the storage period."""
    since = max(since or row["deposited_at"], row["deposited_at"])
    begun = -((since - desk.said.now) // HOUR)  # rounded up
    hours = min(begun, relief.LONGEST_HOURS - row["extra_free_hours"])
    if hours > 0:
        yield from relief.longer(row, hours, why, desk.said, desk.ours.zone)
