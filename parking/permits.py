"""When a permit covers a vehicle: its dates, its hours of the week, its places taken. Pure.

What a permit does not cover is temporary parking, at the lot's price.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from parking.windows import Span, WeeklyHours, spans, subtract, union
from tariffs.days import holidays_by

_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Right:
    """What one permit grants: `[starts_at, ends_at)`, within `hours` if it has any."""

    starts_at: datetime
    ends_at: datetime
    hours: tuple[WeeklyHours, ...] | None = None

    @classmethod
    def of(
        cls, starts_at: datetime, ends_at: datetime, hours: Iterable[Mapping[str, Any]] | None
    ) -> "Right":
        """The right of a permit's row; `hours` as stored, see `weekly_hours`."""
        weekly = None if hours is None else tuple(weekly_hours(one) for one in hours)
        return cls(starts_at, ends_at, weekly)


class Held(Protocol):
    """A time for which a vehicle holds a space; a range of the database is one."""

    @property
    def lower(self) -> datetime | None:
        """Its first instant."""

    @property
    def upper(self) -> datetime | None:
        """The instant it ends before, if it ends."""


def weekly_hours(stored: Mapping[str, Any]) -> WeeklyHours:
    """Hours from their JSON: `{"weekdays": [1, 2], "from": "18:00", "to": "09:00"}`.

    With `"on_holidays": false` they do not hold on statutory holidays. Raises ValueError for
    what is no time or weekday, KeyError for what is missing.
    """
    return WeeklyHours(
        frozenset(stored["weekdays"]),
        time.fromisoformat(stored["from"]),
        time.fromisoformat(stored["to"]),
        valid_from=None,
        valid_until=None,
        on_holidays=stored.get("on_holidays", True),
    )


def granted(
    right: Right,
    since: datetime,
    until: datetime,
    *,
    zone: ZoneInfo,
    is_holiday: Callable[[date], bool],
) -> list[Span]:
    """When the right holds within `[since, until)`: sorted, apart from each other."""
    opens, closes = max(right.starts_at, since), min(right.ends_at, until)
    if right.hours is None:
        return union([(opens, closes)])
    return union(*(spans(hours, zone, opens, closes, is_holiday) for hours in right.hours))


def covered(
    rights: Sequence[Right],
    entered_at: datetime,
    until: datetime,
    *,
    zone: ZoneInfo,
    is_holiday: Callable[[date], bool],
    swap_until: datetime | None = None,
    freed_at: datetime | None = None,
) -> tuple[Span, ...]:
    """The spans of a stay `[entered_at, until)` that its permits cover; renewals join up.

    With `swap_until` the vehicle came while all places of its permit were taken: it is covered
    until then, and again from `freed_at` on, when another vehicle of the permit had left.
    """
    whole = union(
        *(granted(one, entered_at, until, zone=zone, is_holiday=is_holiday) for one in rights)
    )
    if swap_until is None:
        return tuple(whole)
    return tuple(subtract(whole, [(max(swap_until, entered_at), freed_at or until)]))


def covers_now(
    right: Right, at: datetime, *, zone: ZoneInfo, is_holiday: Callable[[date], bool]
) -> bool:
    """Whether the right holds at this instant."""
    return bool(granted(right, at, at + _TICK, zone=zone, is_holiday=is_holiday))


def reserved(
    floating: Iterable[Sequence[Any]], starts_at: datetime, ends_at: datetime, zone: ZoneInfo
) -> int:
    """Places that floating permits may come for between two instants."""
    alike: dict[tuple[datetime, datetime, str], bool] = {}
    total = 0
    for places, since, until, hours, inside, calendar in floating:
        opens, closes = max(since, starts_at), min(until, ends_at)
        key = opens, closes, repr(hours)  # many permits have the same hours
        if key not in alike:
            right, holidays = Right.of(opens, closes, hours), holidays_by(calendar)
            alike[key] = bool(granted(right, opens, closes, zone=zone, is_holiday=holidays))
        if alike[key]:
            total += max(0, places - sum(_overlaps(one, starts_at, ends_at) for one in inside))
    return total


def _overlaps(claim: Held, starts_at: datetime, ends_at: datetime) -> bool:
    """Whether a claim, which may have no end, holds at some time between two instants."""
    if claim.lower is None:
        raise ValueError("a claim begins at an instant")
    return claim.lower < ends_at and (claim.upper is None or claim.upper > starts_at)
