"""When each space may be booked: the one writer of `space.offered`.

A private space is offered in its sharing windows; a community space always, less the hours of
its fixed-space permits. What is written reaches as far ahead as anybody may book, so a nightly
sweep moves it on.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow, dict_row, tuple_row
from psycopg.types.multirange import TimestamptzMultirange
from psycopg.types.range import TimestamptzRange
from sqlalchemy.orm import Session

from core.db import Connection, driver
from parking.calendar_days import holidays
from parking.making_way import BOOKED, make_way
from parking.permits import Right, granted
from parking.terms import Terms, parse_terms
from parking.windows import Span, WeeklyHours, spans, subtract, union

ALWAYS = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
BACK = timedelta(days=1)
UNTIL_SWEPT = timedelta(days=2)
"""How much further than needed an offer reaches, so that a late sweep does no harm."""

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

SPACES = "SELECT id, lot_id, owner_household_id IS NOT NULL FROM space WHERE id = ANY(%(spaces)s)"

WINDOWS = """
SELECT space_id, weekdays, begins, ends, valid_from, valid_until, blocked, on_holidays
FROM sharing_window WHERE withdrawn_at IS NULL AND space_id = ANY(%(spaces)s)
"""

PERMITS = """
SELECT space_id, starts_at, ends_at, hours FROM permit
WHERE space_id = ANY(%(spaces)s) AND ends_at > %(since)s
"""

BOOKINGS = """
SELECT space_id, starts_at, ends_at FROM booking
WHERE status IN ('confirmed', 'checked_in') AND space_id = ANY(%(spaces)s)
"""

# Each lot's terms in force, and those to come.
TERMS = """
SELECT lot_id, rules FROM booking_terms t
WHERE NOT EXISTS (SELECT FROM booking_terms newer WHERE newer.lot_id = t.lot_id
                  AND newer.valid_from > t.valid_from AND newer.valid_from <= %(now)s)
"""

WRITE = """
UPDATE space SET offered = wanted.offered
FROM unnest(%(spaces)s::bigint[], %(offers)s::tstzmultirange[]) AS wanted (id, offered)
WHERE space.id = wanted.id AND space.offered IS DISTINCT FROM wanted.offered
RETURNING space.id
"""

OUTSIDE = f"""
{BOOKED}
AND EXISTS (
    SELECT FROM unnest(%(spaces)s::bigint[], %(offers)s::tstzmultirange[]) AS wanted (id, offered)
    WHERE wanted.id = b.space_id AND NOT wanted.offered @> tstzrange(b.starts_at, b.ends_at)
)
ORDER BY b.starts_at, b.id FOR UPDATE OF b
"""

Offers = dict[int, list[Span] | None]
"""What each space offers; None is always."""


@dataclass(slots=True)
class Ground:
    """What the offer of one space is made of."""

    lot_id: int
    private: bool
    windows: list[WeeklyHours] = field(default_factory=list)
    rights: list[Right] = field(default_factory=list)
    booked: list[Span] = field(default_factory=list)


def refresh(
    session: Session, space_ids: Iterable[int] | None, now: datetime, zone: ZoneInfo
) -> int:
    """Write what these spaces (None: all) offer by their windows and permits; how many changed.

    Active bookings that are then outside of it are moved to another space and their guests are
    told. Problem 409 `active-bookings` names those that cannot be moved.
    """
    connection = _flushed(session)
    wanted = _wanted(connection, _locked(connection, space_ids), now, zone)
    return replace(session, {space: offer for space, (offer, _) in wanted.items()}, now, zone)


def refresh_all(session: Session, now: datetime, zone: ZoneInfo) -> int:
    """Move every offer on as time passes; how many changed. Refuses nothing.

    What is booked stays offered, even where the published calendar has changed under it.
    """
    connection = _flushed(session)
    wanted = _wanted(connection, _locked(connection, None), now, zone)
    kept = {space: _with(offer, ground.booked) for space, (offer, ground) in wanted.items()}
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
    outside = _outside(connection, wanted)
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


def _outside(connection: Connection, wanted: Offers) -> list[DictRow]:
    """The active bookings that these offers would strand, by their start, locked."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(OUTSIDE, _values(wanted)).fetchall()


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


def _wanted(
    connection: Connection, space_ids: Sequence[int], now: datetime, zone: ZoneInfo
) -> dict[int, tuple[list[Span] | None, Ground]]:
    """What each space should offer, and what that is made of."""
    grounds = _grounds(connection, space_ids, now - BACK)
    ahead = _ahead(connection, now)
    is_holiday = holidays(connection)
    known: dict[tuple[WeeklyHours, datetime, datetime], list[Span]] = {}

    def hours_of(hours: WeeklyHours, since: datetime, until: datetime) -> list[Span]:
        key = (hours, since, until)
        if key not in known:
            known[key] = spans(hours, zone, since, until, is_holiday)
        return known[key]

    wanted: dict[int, tuple[list[Span] | None, Ground]] = {}
    for space, ground in grounds.items():
        since = _day(min([now - BACK, *(begins for begins, _ in ground.booked)]), zone)
        reach = now + ahead.get(ground.lot_id, _reach(Terms())) + UNTIL_SWEPT
        until = _day(max([reach, *(ends for _, ends in ground.booked)]), zone) + 2 * BACK
        over = [span for span in ground.booked if span[1] <= now]
        if ground.private:
            offer = union(*(hours_of(one, since, until) for one in ground.windows), over)
            wanted[space] = offer, ground
        elif ground.rights:
            reserved = _reserved(ground.rights, since, until, zone, is_holiday)
            wanted[space] = union(subtract([ALWAYS], reserved), over), ground
        else:
            wanted[space] = None, ground
    return wanted


def _reserved(
    rights: Iterable[Right],
    since: datetime,
    until: datetime,
    zone: ZoneInfo,
    is_holiday: Callable[[date], bool],
) -> list[Span]:
    """What permits take of a community space; hours beyond the horizon count as all of it."""
    taken: list[Span] = []
    for right in rights:
        if right.hours is None:
            taken.append((right.starts_at, right.ends_at))
            continue
        taken += granted(right, since, until, zone=zone, is_holiday=is_holiday)
        taken.append((max(until, right.starts_at), right.ends_at))
    return union(taken)


def _grounds(
    connection: Connection, space_ids: Sequence[int], since: datetime
) -> dict[int, Ground]:
    values = {"spaces": list(space_ids), "since": since}
    with connection.cursor(row_factory=tuple_row) as cursor:
        spaces = cursor.execute(SPACES, values).fetchall()
        grounds = {space: Ground(lot, private) for space, lot, private in spaces}
        for space, weekdays, begins, ends, first, last, blocked, on in cursor.execute(
            WINDOWS, values
        ):
            hours = WeeklyHours(
                frozenset(weekdays), begins, ends, first, last, frozenset(blocked), on_holidays=on
            )
            grounds[space].windows.append(hours)
        for space, starts_at, ends_at, weekly in cursor.execute(PERMITS, values):
            grounds[space].rights.append(Right.of(starts_at, ends_at, weekly))
        for space, starts_at, ends_at in cursor.execute(BOOKINGS, values):
            grounds[space].booked.append((starts_at, ends_at))
    return grounds


def _ahead(connection: Connection, now: datetime) -> dict[int, timedelta]:
    """How far ahead a booking of each lot may end, where the lot has terms."""
    found: defaultdict[int, timedelta] = defaultdict(timedelta)
    with connection.cursor(row_factory=tuple_row) as cursor:
        for lot_id, rules in cursor.execute(TERMS, {"now": now}):
            found[lot_id] = max(found[lot_id], _reach(parse_terms(rules)))
    return found


def _reach(terms: Terms) -> timedelta:
    return timedelta(minutes=terms.ahead_minutes + terms.most_minutes)


def _day(instant: datetime, zone: ZoneInfo) -> datetime:
    """The midnight before an instant, so that one day's horizon is the same for all."""
    midnight = instant.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.astimezone(UTC)


def _written(connection: Connection, offers: Offers) -> set[int]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        return {space for (space,) in cursor.execute(WRITE, _values(offers))}


def _values(offers: Offers) -> dict[str, Any]:
    return {"spaces": list(offers), "offers": [_multirange(one) for one in offers.values()]}


def _multirange(offer: list[Span] | None) -> TimestamptzMultirange | None:
    if offer is None:
        return None
    first, last = ALWAYS
    return TimestamptzMultirange(
        TimestamptzRange(None if begins == first else begins, None if ends == last else ends)
        for begins, ends in offer
    )
