"""The community's calendar: the published days, and those decreed otherwise here."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

from psycopg.rows import tuple_row
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.db import Connection
from parking.models import CalendarDay
from tariffs.days import DayKind, kind_of, provisional

_SATURDAY = 5


def overrides(connection: Connection) -> dict[date, DayKind]:
    """The days whose kind was decreed here, for what `days.kind_of` asks."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute("SELECT day, kind FROM calendar_day").fetchall()
    return {day: DayKind(kind) for day, kind in rows}


def holidays(connection: Connection) -> Callable[[date], bool]:
    """Whether a date is a statutory holiday, as the community's calendar stands now."""
    decreed = overrides(connection)
    return lambda day: kind_of(day, decreed) is DayKind.HOLIDAY


def of_year(session: Session, year: int) -> dict[str, Any]:
    """The year's days that are not what their weekday says, and those decreed here."""
    first, last = date(year, 1, 1), date(year, 12, 31)
    rows = session.scalars(select(CalendarDay).where(CalendarDay.day.between(first, last)))
    decreed = {row.day: row for row in rows}
    kinds = {day: DayKind(row.kind) for day, row in decreed.items()}
    days = [
        {
            "day": day,
            "kind": str(kind_of(day, kinds)),
            "name": decreed[day].name if day in decreed else None,
            "decreed": day in decreed,
        }
        for day in _each(first, last)
        if day in decreed or kind_of(day) is not _by_weekday(day)
    ]
    return {"year": year, "provisional": provisional(year, kinds), "days": days}


def _each(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def _by_weekday(day: date) -> DayKind:
    return DayKind.WEEKEND if day.weekday() >= _SATURDAY else DayKind.WORKDAY
