"""What each space should offer, and what that is made of: windows, permits, the calendar."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from psycopg.rows import tuple_row

from core.db import Connection
from parking.permits import Right, granted
from parking.terms import Terms, parse_terms
from parking.windows import Span, WeeklyHours, spans, subtract, union
from sharing.calendar_days import holidays

ALWAYS = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
ONE_DAY = timedelta(days=1)
BACK = ONE_DAY
UNTIL_SWEPT = timedelta(days=2)
"""How much further than needed an offer reaches, so that a late sweep does no harm."""

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


def should_offer(
    connection: Connection, space_ids: Sequence[int], now: datetime, zone: ZoneInfo
) -> dict[int, tuple[list[Span] | None, list[Span]]]:
    """What each of these spaces should offer, and when it is booked.

    A booking that is over does not stand in the way of anything: its time stays offered.
    """
    grounds = _grounds(connection, space_ids, now - BACK)
    ahead = _ahead(connection, now)
    is_holiday = holidays(connection)

    @cache  # most windows of a community are alike
    def hours_of(hours: WeeklyHours, since: datetime, until: datetime) -> list[Span]:
        return spans(hours, zone, since, until, is_holiday)

    found: dict[int, tuple[list[Span] | None, list[Span]]] = {}
    for space, ground in grounds.items():
        since, until = _horizon(ground, now, ahead.get(ground.lot_id, _reach(Terms())), zone)
        over = [span for span in ground.booked if span[1] <= now]
        offer: list[Span] | None = None
        if ground.private:
            offer = union(*(hours_of(one, since, until) for one in ground.windows), over)
        elif ground.rights:
            reserved = _reserved(ground.rights, since, until, zone, is_holiday)
            offer = union(subtract([ALWAYS], reserved), over)
        found[space] = offer, ground.booked
    return found


def _horizon(ground: Ground, now: datetime, ahead: timedelta, zone: ZoneInfo) -> Span:
    """From which midnight to which an offer is worked out; every booking lies between."""
    first = min([now - BACK, *(begins for begins, _ in ground.booked)])
    last = max([now + ahead + UNTIL_SWEPT, *(ends for _, ends in ground.booked)])
    return _midnight(first, zone), _midnight(last + ONE_DAY, zone)


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


def _midnight(instant: datetime, zone: ZoneInfo) -> datetime:
    """The midnight before an instant, so that one day's horizon is the same for all."""
    midnight = instant.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.astimezone(UTC)
