"""Saying what kind of day a date is; what is offered on holidays follows at once."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from core.errors import invalid, not_found
from parking.models import CalendarDay
from sharing import offers


def decree(
    session: Session, day: date, *, kind: str, name: str, now: datetime, zone: ZoneInfo
) -> dict[str, Any]:
    """A date is of this kind here, whatever the published calendar says.

    Problem 422 for a day that is over (it was priced), 409 when bookings would be left without
    a space.
    """
    _check_not_over(day, now, zone)
    session.merge(CalendarDay(day=day, kind=kind, name=name, recorded_at=now))
    offers.refresh_by_holidays(session, now, zone)
    return {"day": day, "kind": kind, "name": name, "decreed": True}


def revoke(session: Session, day: date, *, now: datetime, zone: ZoneInfo) -> None:
    """A date is again what the published calendar says; Problem 404 if nothing was decreed."""
    decreed = session.get(CalendarDay, day)
    if decreed is None:
        raise not_found("decreed day")
    _check_not_over(day, now, zone)
    session.delete(decreed)
    offers.refresh_by_holidays(session, now, zone)


def _check_not_over(day: date, now: datetime, zone: ZoneInfo) -> None:
    if day < now.astimezone(zone).date():
        raise invalid("day", "must not be over: its stays were priced")
