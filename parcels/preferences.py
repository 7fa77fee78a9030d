"""What residents choose about lockers: may parcels go in, where, who else sees, when to be told."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.db import Connection, driver, send
from identity.models import Person
from parcels.models import LockerPreference

CHOSEN = ("locker", "low_door", "share_with_household", "any_time", "quiet_from", "quiet_until")
NOTHING_CHOSEN: Mapping[str, Any] = {
    "locker": None,
    "low_door": False,
    "share_with_household": False,
    "any_time": False,
    "quiet_from": None,
    "quiet_until": None,
}

TOLD_WHEN = ("any_time", "quiet_from", "quiet_until")

# Those who change parcels have their cabinets locked; in one order, so that nobody waits for ever.
THEIR_CABINETS = """
SELECT c.id FROM cabinet c WHERE c.id IN (
    SELECT p.cabinet_id FROM parcel p
    WHERE p.recipient_id = %(person)s AND p.phase IN ('ready', 'overdue'))
ORDER BY c.id FOR NO KEY UPDATE OF c
"""

LOOK_AGAIN = """
UPDATE parcel SET due_at = %(now)s
WHERE recipient_id = %(person)s AND phase IN ('ready', 'overdue')
"""


def preference(session: Session, person_id: int) -> LockerPreference | None:
    """What a resident chose last; None for one who never did."""
    return session.scalar(history(person_id).limit(1))


def history(person_id: int) -> Select[LockerPreference]:
    """All that a resident ever chose, newest first: the proof of consent."""
    query = select(LockerPreference).where(LockerPreference.person_id == person_id)
    return query.order_by(LockerPreference.id.desc())


def choose(session: Session, person_id: int, choice: Mapping[str, Any], now: datetime) -> None:
    """A resident's choice from now on; `choice` has every name of `CHOSEN`.

    What was chosen before stays on record; the same again is no new choice.
    """
    alone(session, person_id)
    before = chosen(preference(session, person_id))
    after = {name: choice[name] for name in CHOSEN}
    if after == before:
        return
    session.add(LockerPreference(person_id=person_id, recorded_at=now, **after))
    session.flush()
    if any(after[name] != before[name] for name in TOLD_WHEN):
        look_again(driver(session), person_id, now)


def chosen(preference: LockerPreference | None) -> dict[str, Any]:
    """The choice alone; what holds for one who never chose."""
    if preference is None:
        return dict(NOTHING_CHOSEN)
    return {name: getattr(preference, name) for name in CHOSEN}


def alone(session: Session, person_id: int) -> None:
    """One change at a time of what a resident chose."""
    session.execute(select(Person.id).where(Person.id == person_id).with_for_update(key_share=True))


def look_again(connection: Connection, person_id: int, now: datetime) -> None:
    """Let the sweep reckon anew what is due for whatever waits for the resident."""
    values = {"person": person_id, "now": now}
    send(connection, [(THEIR_CABINETS, values), (LOOK_AGAIN, values)])
