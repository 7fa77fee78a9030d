"""New codes for a parcel that waits: the recipient's anew, and others' by name and for a time."""

from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import DictRow
from sqlalchemy.orm import Session

from core.db import Connection, driver, fetch_row, send
from core.errors import Problem, invalid, not_found
from identity import notices
from lockers import codes, record, telling
from lockers.clocks import clock_of
from lockers.custody import Premises
from lockers.lifecycle import INSIDE
from lockers.record import Said
from parcels import parcels, view
from parcels.parcels import Reader

MOST_DELEGATES = 5
LONGEST = timedelta(days=7)

TELLS_A_CODE = ("parcel-deposited", "parcel-code-reissued")

LIVE = """
SELECT count(*) AS live FROM pickup_code
WHERE parcel_id = %(parcel)s AND kind = 'delegate' AND ended_at IS NULL AND expires_at > %(now)s
"""

REVOKE = """
UPDATE pickup_code SET ended_at = %(now)s, ended_reason = 'revoked', sealed = NULL
WHERE id = %(code)s AND parcel_id = %(parcel)s AND kind = 'delegate' AND ended_at IS NULL
RETURNING id
"""

GIVE = f"""{record.GIVE_CODE}
RETURNING id, name, phone_tail, sealed, created_at, expires_at, locked_until, ended_at, ended_reason
"""


def reissue(
    session: Session, parcel_id: int, reader: Reader, now: datetime, ours: Premises
) -> None:
    """Give the recipient of a waiting parcel a new code; the old one is dead at once.

    So are its failures and its lock. The recipient asks, or the desk for one who has no account:
    the code goes to the recipient's phone either way, and the desk never sees it. Codes given to
    others stay. Problem 404, 403 for whom the recipient only shares with, 409 `not-waiting`.
    """
    connection = driver(session)
    row = _waiting(connection, parcel_id, reader, desk_may=True)
    said = Said(f"person:{reader.person_id}", now, now)
    code = codes.new_code(ours.secret_key, row["recipient_phone"][-4:])
    clock = clock_of(row, ours.zone)
    send(
        connection,
        [
            record.codes_ended(parcel_id, "reissued", now, kind="recipient"),
            record.code_given(parcel_id, row["cabinet_id"], code, now, by=reader.person_id),
            record.happened(parcel_id, "code.reissued", said),
            notices.cancelled("parcel", parcel_id, kinds=TELLS_A_CODE, erase_secrets=True, at=now),
            *telling.told(
                row, "parcel-code-reissued", clock, row["deposited_at"], said, secret=code.sealed
            ),
        ],
    )


def delegate(
    session: Session,
    parcel_id: int,
    reader: Reader,
    *,
    name: str,
    expires_at: datetime,
    now: datetime,
    ours: Premises,
) -> dict[str, Any]:
    """A code of its own for somebody who fetches the parcel instead; with its digits.

    It is entered with the recipient's phone tail. Problem 404, 403, 409 `not-waiting` or
    `too-many-delegates`, 422 when it would expire in the past or in more than 7 days.
    """
    if not now < expires_at <= now + LONGEST:
        raise invalid("expires_at", "must lie in the future, at most 7 days ahead")
    connection = driver(session)
    row = _waiting(connection, parcel_id, reader)
    live = fetch_row(connection, (LIVE, {"parcel": parcel_id, "now": now}))
    if live and live["live"] >= MOST_DELEGATES:
        raise Problem(409, "too-many-delegates", f"No more than {MOST_DELEGATES} at a time.")
    code = codes.new_code(ours.secret_key, row["recipient_phone"][-4:])
    _, values = record.code_given(
        parcel_id,
        row["cabinet_id"],
        code,
        now,
        kind="delegate",
        name=name,
        expires_at=expires_at,
        by=reader.person_id,
    )
    given = fetch_row(connection, (GIVE, values))
    assert given is not None  # noqa: S101 - an INSERT returns its row
    said = Said(f"person:{reader.person_id}", now, now)
    about = {"code_id": given["id"], "expires_at": expires_at.isoformat()}
    send(connection, [record.happened(parcel_id, "code.delegated", said, **about)])
    return view.delegate(given, now, ours)


def revoke(session: Session, parcel_id: int, code_id: int, reader: Reader, now: datetime) -> None:
    """A code given to somebody opens nothing any more.

    Problem 404 for a parcel or a code that is not the reader's, or is over; 403 as `reissue`.
    """
    connection = driver(session)
    parcels.own(connection, parcel_id, reader)
    values = {"code": code_id, "parcel": parcel_id, "now": now}
    if fetch_row(connection, (REVOKE, values)) is None:
        raise not_found("code")
    said = Said(f"person:{reader.person_id}", now, now)
    send(connection, [record.happened(parcel_id, "code.revoked", said, code_id=code_id)])


def _waiting(
    connection: Connection, parcel_id: int, reader: Reader, *, desk_may: bool = False
) -> DictRow:
    """The reader's parcel, which waits, to ourselves; the desk's is any."""
    row = parcels.own(connection, parcel_id, reader, desk_may=desk_may)
    if row["phase"] not in INSIDE or not row["recipient_phone"]:
        raise Problem(409, "not-waiting", "The parcel does not wait in a cabinet.")
    return row
