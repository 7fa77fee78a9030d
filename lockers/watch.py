"""What is due without anybody knocking: holds that run out, terms, reminders, silent cabinets.

Each parcel is looked after in a transaction of its own, which moves on when it is due next: a
sweep that dies half-way, or two at once, do nothing twice.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, cast

from psycopg.rows import DictRow, dict_row
from sqlalchemy import CursorResult, text
from sqlalchemy.orm import Session

from core.db import Connection, Statement, driver, send
from devices import exceptions
from lockers import custody, record, telling
from lockers.clocks import clock_of, rules_in_force
from lockers.custody import Community
from lockers.lifecycle import INSIDE, Happening, Phase, Step
from lockers.record import Said
from storage import due, fees
from storage.due import Waiting

SWEEP = "sweep"

HOLDS = """
SELECT parcel_id FROM compartment WHERE state = 'held' AND hold_until <= %(now)s
ORDER BY hold_until LIMIT %(limit)s
"""

DUE = """
SELECT id FROM parcel WHERE due_at <= %(now)s ORDER BY due_at, id LIMIT %(limit)s
"""

HOLD_OF = """
SELECT hold_until FROM compartment
WHERE parcel_id = %(parcel)s AND state = 'held' AND hold_until <= %(now)s
"""

# Whoever held the door of a cabinet that has fallen silent may have put the parcel in.
UNHEARD = """
SELECT d.last_seen_at IS NULL OR d.last_seen_at < %(since)s AS silent
FROM cabinet c JOIN device d ON d.id = c.device_id WHERE c.id = %(cabinet)s
"""

WATCHED = """
UPDATE parcel SET free_until = %(free_until)s, due_at = %(due)s, reminded = %(told)s,
    reminded_at = %(told_at)s, reclaim_asked_at = %(reclaim)s, removal_asked_at = %(removal)s
WHERE id = %(parcel)s
"""

NEVER = "UPDATE parcel SET due_at = NULL WHERE id = %(parcel)s"

SILENT = """
INSERT INTO exception_case (subject, subject_id, reason, raised_at)
SELECT 'cabinet', c.id, 'cabinet-offline', :now
FROM cabinet c JOIN device d ON d.id = c.device_id
WHERE c.active AND d.last_seen_at < :since
ON CONFLICT (subject, subject_id, reason) DO UPDATE
SET raised_at = EXCLUDED.raised_at, resolved_at = NULL, resolved_by = NULL, resolution = NULL
WHERE exception_case.resolved_at IS NOT NULL
"""

HEARD_AGAIN = """
UPDATE exception_case x SET resolved_at = :now, resolution = '已恢复在线'
FROM cabinet c JOIN device d ON d.id = c.device_id
WHERE x.subject = 'cabinet' AND x.subject_id = c.id AND x.reason = 'cabinet-offline'
  AND x.resolved_at IS NULL AND d.last_seen_at >= :since
"""


def holds(session: Session, now: datetime, limit: int) -> list[int]:
    """The parcels whose compartment was held too long."""
    return _ids(driver(session), HOLDS, now, limit, "parcel_id")


def waiting(session: Session, now: datetime, limit: int) -> list[int]:
    """The parcels for which something is due."""
    return _ids(driver(session), DUE, now, limit, "id")


def release(session: Session, parcel_id: int, now: datetime, ours: Community) -> None:
    """A courier did not put the parcel in: the compartment is free for others again.

    Where the cabinet has not been heard since, a person has to look first.
    """
    connection = driver(session)
    row = custody.in_hand(connection, parcel_id)
    with connection.cursor(row_factory=dict_row) as cursor:
        held = cursor.execute(HOLD_OF, {"parcel": parcel_id, "now": now}).fetchone()
        if held is None:
            return
        values = {"cabinet": row["cabinet_id"], "since": row["reserved_at"]}
        unheard = cursor.execute(UNHEARD, values).fetchone()
    said = Said(SWEEP, held["hold_until"], now)
    statements = custody.happens(row, Happening(Step.RELEASED, said.at), said, ours)
    if unheard and unheard["silent"]:
        doubt = record.door_left(parcel_id, state="needs_check")
        statements = [doubt, *statements]
    send(connection, statements)


def look_after(session: Session, parcel_id: int, now: datetime, ours: Community) -> None:
    """Whatever is due for a waiting parcel: its term, a reminder, its reclaim, its removal.

    The term is reckoned anew, for its recipient may have gone on holiday since.
    """
    connection = driver(session)
    row = custody.in_hand(connection, parcel_id)
    if Phase(row["phase"]) not in INSIDE:
        send(connection, [(NEVER, {"parcel": parcel_id})])
    elif row["due_at"] is not None and row["due_at"] <= now:
        send(connection, list(_due(row, now, ours)))


def cabinets(session: Session, now: datetime) -> int:
    """Tell operators of cabinets that have fallen silent, and of those heard again; how many."""
    rules = rules_in_force(driver(session), now)
    since = now - timedelta(seconds=rules.heartbeat_seconds + rules.grace_seconds)
    values = {"now": now, "since": since}
    changed = [session.execute(text(sql), values) for sql in (SILENT, HEARD_AGAIN)]
    return sum(cast("CursorResult[Any]", done).rowcount for done in changed)


def _due(row: DictRow, now: datetime, ours: Community) -> Iterator[Statement]:
    clock, parcel_id, said = clock_of(row, ours.zone), row["parcel_id"], Said(SWEEP, now, now)
    quiet = telling.quiet_of(row, clock.rules)
    waits = _waits(row, fees.free_until(clock, row["deposited_at"]))
    todo = due.duties(clock.rules, waits, quiet, ours.zone, now)
    if todo.overdue:
        happening = Happening(Step.OVERDUE, waits.free_until)
        yield from custody.happens(row, happening, Said(SWEEP, happening.at, now), ours)
    if todo.prolonged:
        yield from custody.happens(row, Happening(Step.PROLONGED, now), said, ours)
    if todo.tell and row["recipient_phone"]:
        yield telling.told(row, f"parcel-{todo.tell}", clock, waits.deposited_at, said)
        yield record.happened(parcel_id, "notice.queued", said, kind=todo.tell)
    if todo.reclaim:
        yield record.happened(parcel_id, "reclaim.asked", said)
    if todo.removal:
        yield record.happened(parcel_id, "removal.asked", said)
        yield exceptions.raised("parcel", parcel_id, "removal-due", None, now)
    yield (
        WATCHED,
        {
            "parcel": parcel_id,
            "free_until": waits.free_until,
            "due": due.next_due(clock.rules, todo.after, quiet, ours.zone),
            "told": todo.after.told,
            "told_at": todo.after.told_at,
            "reclaim": todo.after.reclaim_asked_at,
            "removal": todo.after.removal_asked_at,
        },
    )


def _waits(row: DictRow, free_until: datetime) -> Waiting:
    return Waiting(
        deposited_at=row["deposited_at"],
        free_until=free_until,
        overdue=row["phase"] == Phase.OVERDUE,
        told=row["reminded"],
        told_at=row["reminded_at"],
        reclaim_asked_at=row["reclaim_asked_at"],
        removal_asked_at=row["removal_asked_at"],
    )


def _ids(connection: Connection, sql: str, now: datetime, limit: int, name: str) -> list[int]:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(sql, {"now": now, "limit": limit}).fetchall()
    return [row[name] for row in rows]
