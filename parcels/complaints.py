"""A recipient complains about a parcel; the desk's answer comes back with it.

The words are links of the parcel's chain, the case is on the operators' list: what they resolve it
with is the answer.
"""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from core.db import Statement, driver, fetch_row, send
from core.errors import Problem
from core.logs import mask
from devices import exceptions
from lockers import record
from lockers.record import Said
from parcels import parcels
from parcels.parcels import Reader
from parcels.view import ANSWERED, FILED

COMPLAINT = "complaint"
MOST = 10

BEFORE = f"""
SELECT count(*) AS filed FROM parcel_event
WHERE parcel_id = %(parcel)s AND type = '{FILED}'
"""  # noqa: S608 - a constant of ours

CASE = f"""
SELECT resolved_at, resolved_by, resolution FROM exception_case
WHERE subject = 'parcel' AND subject_id = %(parcel)s AND reason = '{COMPLAINT}' FOR UPDATE
"""  # noqa: S608 - a constant of ours


def file(session: Session, parcel_id: int, reader: Reader, text: str, now: datetime) -> None:
    """The recipient of a parcel, wherever it is by now, tells the desk what is wrong with it.

    Problem 404, 403 for whom the recipient only shares with, 409 `complained-enough`.
    """
    connection = driver(session)
    parcels.own(connection, parcel_id, reader)
    about = {"parcel": parcel_id}
    before, case = fetch_row(connection, (BEFORE, about)), fetch_row(connection, (CASE, about))
    if before and before["filed"] >= MOST:
        raise Problem(409, "complained-enough", f"No more than {MOST} complaints about a parcel.")
    said = Said(f"person:{reader.person_id}", now, now)
    statements = [
        record.happened(parcel_id, FILED, said, text=mask(text)),
        exceptions.reopened("parcel", parcel_id, COMPLAINT, now),
    ]
    if case and case["resolved_at"]:
        statements.insert(0, _answered(parcel_id, case, now))
    send(connection, statements)


def _answered(parcel_id: int, case: dict[str, Any], now: datetime) -> Statement:
    """The answer to what was said before; to open its case anew would erase it."""
    said = Said(f"person:{case['resolved_by']}", case["resolved_at"], now)
    return record.happened(parcel_id, ANSWERED, said, text=mask(case["resolution"]))
