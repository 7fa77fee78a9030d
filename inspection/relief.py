"""What an operator may spare a recipient: an unpaid fee, or time, for one parcel or a cabinet."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow, dict_row
from sqlalchemy.orm import Session

from core.db import Statement, driver, send
from core.errors import Problem
from inspection.compartments import cabinet_in_hand
from lockers import custody, record
from lockers.clocks import clock_of
from lockers.lifecycle import INSIDE, Phase
from lockers.record import Said
from storage import fees

MOST_HOURS = 168
LONGEST_HOURS = 8_760
"""However often it is extended: a year."""

# A sweep reckons anew what it has to tell and to ask.
EXTEND = """
UPDATE parcel SET extra_free_hours = %(hours)s, free_until = %(free_until)s, due_at = %(now)s
WHERE id = %(parcel)s
"""

WAITING = """
SELECT id FROM parcel WHERE cabinet_id = %(cabinet)s AND phase = ANY (%(phases)s) ORDER BY id
"""


def waive(session: Session, parcel_id: int, said: Said, *, reason: str) -> None:
    """Take back what is unpaid of the storage fee, with the reason as its line.

    Problem 404; 409 `nothing-due`, also when it was waived before.
    """
    connection = driver(session)
    row = custody.in_hand(connection, parcel_id)
    if row["owed_fen"] <= 0:
        raise Problem(409, "nothing-due", "Nothing is due for this parcel.")
    send(connection, list(custody.credited(row, row["owed_fen"], reason, said)))


def extend(
    session: Session, parcel_id: int, said: Said, zone: ZoneInfo, *, hours: int, reason: str
) -> None:
    """A waiting parcel may stay some hours longer for nothing. Problem 404; 409 when it does not
    wait, or was extended by a year in all.
    """
    connection = driver(session)
    row = custody.in_hand(connection, parcel_id)
    if Phase(row["phase"]) not in INSIDE:
        raise Problem(409, "not-waiting", "This parcel does not wait.", phase=row["phase"])
    if row["extra_free_hours"] + hours > LONGEST_HOURS:
        raise Problem(409, "extended-enough", "This parcel was extended by a year.")
    send(connection, list(longer(row, hours, reason, said, zone)))


def extend_cabinet(
    session: Session, code: str, said: Said, zone: ZoneInfo, *, hours: int, reason: str
) -> int:
    """Whatever waits in a cabinet may stay longer (a storm, a power cut); how many do.

    Problem 404.
    """
    connection = driver(session)
    wanted = {"cabinet": cabinet_in_hand(connection, code), "phases": sorted(INSIDE)}
    with connection.cursor(row_factory=dict_row) as cursor:
        waiting = [row["id"] for row in cursor.execute(WAITING, wanted)]
    rows = [custody.in_hand(connection, parcel_id) for parcel_id in waiting]
    spared = [row for row in rows if row["extra_free_hours"] + hours <= LONGEST_HOURS]
    for row in spared:
        send(connection, list(longer(row, hours, reason, said, zone)))
    return len(spared)


def longer(
    row: DictRow, hours: int, reason: str, said: Said, zone: ZoneInfo
) -> Iterator[Statement]:
    """The parcel of a look's row may stay so many hours longer for nothing."""
    total, parcel_id = row["extra_free_hours"] + hours, row["parcel_id"]
    clock = clock_of({**row, "extra_free_hours": total}, zone)
    free_until = fees.free_until(clock, row["deposited_at"])
    values = {"parcel": parcel_id, "hours": total, "free_until": free_until, "now": said.now}
    yield EXTEND, values
    until = free_until.isoformat()
    yield record.happened(
        parcel_id, "parcel.extended", said, hours=hours, free_until=until, why=reason
    )
