"""When each space may be booked: the one writer of `space.offered`.

A private space is offered in its sharing windows; a community space always, less the hours of
its fixed-space permits. What is written reaches as far ahead as anybody may book, so a nightly
sweep moves it on.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow, tuple_row
from psycopg.types.multirange import TimestamptzMultirange
from psycopg.types.range import TimestamptzRange
from sqlalchemy.orm import Session

from core.db import Connection, driver
from parking.windows import Span, union
from sharing.making_way import booked, make_way
from sharing.offered import ALWAYS, Offers, should_offer

# Private spaces, and the community's that are not simply always offered.
LIMITED = """
SELECT s.id FROM space s
WHERE s.owner_household_id IS NOT NULL OR s.offered IS NOT NULL
   OR EXISTS (SELECT FROM permit p WHERE p.space_id = s.id)
"""

BY_HOLIDAYS = """
SELECT w.space_id FROM sharing_window w WHERE w.withdrawn_at IS NULL AND NOT w.on_holidays
UNION
SELECT p.space_id FROM permit p
WHERE p.space_id IS NOT NULL AND p.hours @> '[{"on_holidays": false}]'
"""

# A statement of its own: what is read after it is what whoever held the lock has left.
LOCK = "SELECT id FROM space WHERE id = ANY(%(spaces)s) ORDER BY id FOR UPDATE"

# Most private spaces are offered alike, so what they offer is sent once for all of them.
WANTED = """(
    SELECT space.id, pattern.offered
    FROM unnest(%(spaces)s::bigint[], %(patterns)s::int[]) AS space (id, pattern)
    JOIN unnest(%(offers)s::tstzmultirange[]) WITH ORDINALITY AS pattern (offered, number)
        ON pattern.number = space.pattern
) AS wanted"""

WRITE = f"""
UPDATE space SET offered = wanted.offered FROM {WANTED}
WHERE space.id = wanted.id AND space.offered IS DISTINCT FROM wanted.offered
RETURNING space.id
"""  # noqa: S608 - constants of ours

OUTSIDE = f"""EXISTS (
    SELECT FROM {WANTED} WHERE wanted.id = b.space_id
    AND NOT wanted.offered @> tstzrange(b.starts_at, b.ends_at)
)"""


def refresh(
    session: Session, space_ids: Iterable[int] | None, now: datetime, zone: ZoneInfo
) -> int:
    """Write what these spaces (None: all) offer by their windows and permits; how many changed.

    Active bookings that are then outside of it are moved to another space and their guests are
    told. Problem 409 `active-bookings` names those that cannot be moved.
    """
    connection = _flushed(session)
    wanted = should_offer(connection, _locked(connection, space_ids), now, zone)
    return replace(session, {space: offer for space, (offer, _) in wanted.items()}, now, zone)


def refresh_all(session: Session, now: datetime, zone: ZoneInfo) -> int:
    """Move every offer on as time passes; how many changed. Refuses nothing.

    What is booked stays offered, even where the published calendar has changed under it.
    """
    connection = _flushed(session)
    wanted = should_offer(connection, _locked(connection, None), now, zone)
    kept = {space: _with(offer, taken) for space, (offer, taken) in wanted.items()}
    return len(_written(connection, kept))


def refresh_by_holidays(session: Session, now: datetime, zone: ZoneInfo) -> int:
    """`refresh` of the spaces whose windows or permits make a difference of holidays."""
    with _flushed(session).cursor(row_factory=tuple_row) as cursor:
        found = [space for (space,) in cursor.execute(BY_HOLIDAYS)]
    return refresh(session, found, now, zone)


def replace(session: Session, wanted: Offers, now: datetime, zone: ZoneInfo) -> int:
    """Offer these spaces at these times only (the caller has locked them); how many changed.

    Bookings outside make way first, as for `refresh`. Until each has moved its time stays
    offered, and nothing else that is given up does: no booking moves from one to another.
    """
    connection = _flushed(session)
    outside = booked(connection, OUTSIDE, _values(wanted), now)
    waiting: defaultdict[int, list[Span]] = defaultdict(list)
    for booking in outside:
        waiting[booking["space_id"]].append((booking["starts_at"], booking["ends_at"]))
    changed = _written(connection, {s: _with(o, waiting.get(s)) for s, o in wanted.items()})

    def moved(booking: DictRow) -> None:
        space = booking["space_id"]
        waiting[space].remove((booking["starts_at"], booking["ends_at"]))
        changed.update(_written(connection, {space: _with(wanted[space], waiting[space])}))

    make_way(connection, outside, now=now, zone=zone, moved=moved)
    return len(changed)


def lock(session: Session, space_ids: Collection[int]) -> None:
    """Nobody books these spaces, or edits what they offer, until this transaction ends."""
    _locked(_flushed(session), space_ids)


def _with(offer: list[Span] | None, more: Iterable[Span] | None) -> list[Span] | None:
    return None if offer is None else union(offer, more or ())


def _flushed(session: Session) -> Connection:
    session.flush()
    return driver(session)


def _locked(connection: Connection, space_ids: Iterable[int] | None) -> list[int]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        if space_ids is None:
            space_ids = [space for (space,) in cursor.execute(LIMITED)]
        rows = cursor.execute(LOCK, {"spaces": list(space_ids)}).fetchall()
    return [space for (space,) in rows]


def _written(connection: Connection, offers: Offers) -> set[int]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        return {space for (space,) in cursor.execute(WRITE, _values(offers))}


def _values(offers: Offers) -> dict[str, Any]:
    numbers: dict[tuple[Span, ...] | None, int] = {}
    patterns = [
        numbers.setdefault(None if one is None else tuple(one), len(numbers) + 1)
        for one in offers.values()
    ]
    shown = [_multirange(one) for one in numbers]
    return {"spaces": list(offers), "patterns": patterns, "offers": shown}


def _multirange(offer: tuple[Span, ...] | None) -> TimestamptzMultirange | None:
    if offer is None:
        return None
    first, last = ALWAYS
    return TimestamptzMultirange(
        TimestamptzRange(None if begins == first else begins, None if ends == last else ends)
        for begins, ends in offer
    )
