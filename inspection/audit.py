"""The weekly worksheet of a cabinet: what its record says, beside what its sensors say."""

from datetime import datetime
from typing import Any

from psycopg.rows import DictRow
from sqlalchemy.orm import Session

from core.db import driver, send
from identity.channels import masked_phone
from inspection import worksheet
from inspection.compartments import cabinet_in_hand, doors, since
from inspection.corrections import Desk
from inspection.worksheet import Door
from lockers.clocks import rules_in_force
from lockers.lifecycle import Phase
from storage.rules import LockerRules

AUDIT_DUE = "audit-due"
DONE = "已巡检"

AUDITED = """
UPDATE cabinet SET audited_at = greatest(audited_at, %(now)s) WHERE id = %(cabinet)s
"""

RESOLVE = """
UPDATE exception_case SET resolved_at = %(now)s, resolved_by = %(person)s, resolution = %(note)s
WHERE subject = 'cabinet' AND subject_id = %(cabinet)s AND reason = %(due)s
  AND resolved_at IS NULL
"""


def walked(session: Session, code: str, note: str | None, desk: Desk) -> None:
    """Somebody has walked along the doors of a cabinet, whatever was found; Problem 404.

    The note is what the audit that was due is resolved with.
    """
    connection = driver(session)
    values = {
        "cabinet": cabinet_in_hand(connection, code),
        "now": desk.said.now,
        "person": desk.person_id,
        "note": note or DONE,
        "due": AUDIT_DUE,
    }
    send(connection, [(AUDITED, values), (RESOLVE, values)])


def rows(session: Session, code: str, now: datetime) -> list[dict[str, Any]]:
    """A row for each door of a cabinet, phones masked; Problem 404."""
    rules = rules_in_force(driver(session), now)
    return [_row(row, rules, now) for row in doors(session, code)]


def _row(row: DictRow, rules: LockerRules, now: datetime) -> dict[str, Any]:
    inside = row["parcel_id"] is not None and row["phase"] != Phase.RESERVED
    door = Door(
        state=row["state"],
        reason=row["reason"],
        sensor=row["sensor"],
        inside=inside,
        parcel_reason=row["parcel_reason"],
        since=since(row) if inside else None,
        free_until=row["free_until"],
    )
    names = ("number", "size", "row", "state", "sensor", "sensor_at", "parcel_id")
    shown = {name: row[name] for name in (*names, "tracking_number", "phase")}
    return shown | {
        "phone": masked_phone(row["recipient_phone"]),
        "since": door.since,
        "days": worksheet.days(door, now),
        "stale": worksheet.stale(door, rules, now),
        "mismatch": worksheet.mismatch(door),
        "look_for": worksheet.look_for(door, rules, now),
    }
