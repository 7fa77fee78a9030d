"""Days on which residents are away: the fee clock of their parcels stands still."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.db import driver
from core.errors import Problem, invalid, not_found
from parcels.models import LockerVacation
from parcels.preferences import alone, look_again

MOST_DAYS = 60
AHEAD_AT_MOST = timedelta(days=366)
_DAY = timedelta(days=1)


def vacations(person_id: int) -> Select[LockerVacation]:
    """A resident's vacations, the latest first."""
    query = select(LockerVacation).where(LockerVacation.person_id == person_id)
    return query.order_by(LockerVacation.starts_on.desc())


def add(
    session: Session,
    person_id: int,
    *,
    starts_on: date,
    ends_on: date,
    now: datetime,
    zone: ZoneInfo,
) -> LockerVacation:
    """A vacation of whole days, both included, from today on.

    Those that follow one another without a day between are one. Problem 422 when it would begin
    in the past or in over a year, or with those before and after it last more than 60 days; 409
    `vacation-overlap`.
    """
    today = now.astimezone(zone).date()
    if not today <= starts_on <= today + AHEAD_AT_MOST:
        raise invalid("starts_on", "must not lie in the past, nor more than a year ahead")
    if ends_on < starts_on:
        raise invalid("ends_on", "must not lie before the first day")
    alone(session, person_id)
    around = [
        (vacation.starts_on, vacation.ends_on) for vacation in session.scalars(vacations(person_id))
    ]
    if any(since <= ends_on and starts_on <= until for since, until in around):
        raise Problem(409, "vacation-overlap", "You are away on some of these days already.")
    if days_in_a_row([*around, (starts_on, ends_on)], starts_on) > MOST_DAYS:
        raise invalid("ends_on", f"no more than {MOST_DAYS} days in a row")
    vacation = LockerVacation(
        person_id=person_id, starts_on=starts_on, ends_on=ends_on, recorded_at=now
    )
    session.add(vacation)
    session.flush()
    look_again(driver(session), person_id, now)
    return vacation


def end(
    session: Session, person_id: int, vacation_id: int, *, now: datetime, zone: ZoneInfo
) -> None:
    """Take a vacation back; one that has begun ends with today instead.

    The clock stood still until now, and that stays so: ending a vacation adds nothing to what a
    parcel costs at this moment. Problem 404, 409 `vacation-over` for one of the past.
    """
    alone(session, person_id)
    today = now.astimezone(zone).date()
    vacation = session.get(LockerVacation, vacation_id)
    if vacation is None or vacation.person_id != person_id:
        raise not_found("vacation")
    if vacation.ends_on < today:
        raise Problem(409, "vacation-over", "This vacation is over.")
    if vacation.starts_on > today:
        session.delete(vacation)
    else:
        vacation.ends_on = today
    session.flush()
    look_again(driver(session), person_id, now)


def days_in_a_row(spans: Sequence[tuple[date, date]], day: date) -> int:
    """How many days without a gap the spans (first and last day, disjoint) have around a day."""
    ordered = sorted(spans)
    first, longest = ordered[0][0], 0
    for (_, until), (since, _) in pairwise([*ordered, (date.max, date.max)]):
        if until + _DAY < since:
            if first <= day <= until:
                longest = (until - first).days + 1
            first = since
    return longest
