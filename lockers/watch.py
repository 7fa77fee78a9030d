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
from lockers.custody import Premises
from lockers.lifecycle import INSIDE, Happening, Phase, Step
from lockers.record import Said
from storage import due, fees
from storage.due import Waiting

SWEEP = "sweep"
AUDITED_WITHIN = timedelta(days=7)
PUT_OFF = timedelta(minutes=10)
"""When to try again what failed, so that it does not stand in front of all else."""

HOLDS = """
SELECT parcel_id FROM compartment WHERE hold_until <= %(now)s
ORDER BY hold_until LIMIT %(limit)s
"""

DUE = """
SELECT id FROM parcel WHERE due_at <= %(now)s ORDER BY due_at, id LIMIT %(limit)s
"""

HOLD_OF = """
SELECT id, hold_until FROM compartment
WHERE parcel_id = %(parcel)s AND hold_until <= %(now)s
"""

# Whoever held the door of a cabinet that has fallen silent since may have put the parcel in.
SILENT_SINCE = """
SELECT coalesce(d.last_seen_at <= (
    SELECT max(e.recorded_at) FROM parcel_event e
    WHERE e.parcel_id = %(parcel)s AND e.type = 'door.held'), true) AS silent
FROM cabinet c JOIN device d ON d.id = c.device_id WHERE c.id = %(cabinet)s
"""

DOUBTFUL = """
UPDATE compartment SET state = 'needs_check', reason = 'hold-unclear'
WHERE id = %(door)s AND state = 'free'
"""

WATCHED = """
UPDATE parcel SET free_until = %(free_until)s, due_at = %(due)s, reminded = %(told)s,
    reminded_at = %(told_at)s, reclaim_asked_at = %(reclaim)s, removal_asked_at = %(removal)s
WHERE id = %(parcel)s
"""

LATER = (
    "UPDATE parcel SET due_at = %(later)s WHERE id = %(parcel)s AND due_at <= %(now)s",
    "UPDATE compartment SET hold_until = %(later)s"
    " WHERE parcel_id = %(parcel)s AND hold_until <= %(now)s",
)

NEVER = "UPDATE parcel SET due_at = NULL WHERE id = %(parcel)s"

SHOWN = """EXISTS (SELECT FROM exception_case x WHERE x.subject = 'cabinet'
    AND x.subject_id = c.id AND x.reason = '{reason}' AND x.resolved_at IS NULL)"""

SILENT = f"""
INSERT INTO exception_case (subject, subject_id, reason, raised_at)
SELECT 'cabinet', c.id, 'cabinet-offline', :now
FROM cabinet c JOIN device d ON d.id = c.device_id
WHERE c.active AND d.last_seen_at < :since AND NOT {SHOWN.format(reason="cabinet-offline")}
{exceptions.REOPEN}
"""  # noqa: S608 - constants of ours

# Once a week somebody walks along the doors with the worksheet.
UNAUDITED = f"""
INSERT INTO exception_case (subject, subject_id, reason, raised_at)
SELECT 'cabinet', c.id, 'audit-due', :now
FROM cabinet c JOIN device d ON d.id = c.device_id
WHERE c.active AND d.last_seen_at IS NOT NULL AND c.audited_at < :week_ago
  AND NOT {SHOWN.format(reason="audit-due")}
{exceptions.REOPEN}
"""  # noqa: S608 - constants of ours

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


def release(session: Session, parcel_id: int, now: datetime, ours: Premises) -> None:
    """A courier did not put the parcel in: the compartment is free for others again.

    Where the cabinet has not been heard since, a person has to look first.
    """
    connection = driver(session)
    row = custody.in_hand(connection, parcel_id)
    with connection.cursor(row_factory=dict_row) as cursor:
        held = cursor.execute(HOLD_OF, {"parcel": parcel_id, "now": now}).fetchone()
        if held is None:
            return
        values = {"cabinet": row["cabinet_id"], "parcel": parcel_id}
        heard = cursor.execute(SILENT_SINCE, values).fetchone()
    said = Said(SWEEP, held["hold_until"], now)
    statements = custody.happens(row, Happening(Step.RELEASED, said.at), said, ours)
    if heard and heard["silent"]:
        statements.append((DOUBTFUL, {"door": held["id"]}))
        statements.append(exceptions.reopened("compartment", held["id"], "hold-unclear", now))
    send(connection, statements)


def put_off(session: Session, parcel_id: int, now: datetime) -> None:
    """What could not be done for a parcel is tried again later, after what else is due."""
    values = {"parcel": parcel_id, "now": now, "later": now + PUT_OFF}
    send(driver(session), [(sql, values) for sql in LATER])


def look_after(session: Session, parcel_id: int, now: datetime, ours: Premises) -> None:
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
    """Tell operators of cabinets that are silent or were not audited for a week, and of those
    heard again; how many.
    """
    rules = rules_in_force(driver(session), now)
    since = now - timedelta(seconds=rules.heartbeat_seconds + rules.grace_seconds)
    values = {"now": now, "since": since, "week_ago": now - AUDITED_WITHIN}
    changed = [session.execute(text(sql), values) for sql in (SILENT, HEARD_AGAIN, UNAUDITED)]
    return sum(cast("CursorResult[Any]", done).rowcount for done in changed)


def _due(row: DictRow, now: datetime, ours: Premises) -> Iterator[Statement]:
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
        yield from telling.told(row, f"parcel-{todo.tell}", clock, waits.deposited_at, said)
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
