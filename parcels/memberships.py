"""Households whose parcels may stay longer for nothing."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.errors import Problem, invalid
from identity.models import Household, Person
from identity.people import household_by_code
from parcels.models import LockerMembership

LONGEST = timedelta(days=366)


def memberships(
    household_id: int | None = None,
    *,
    household: str | None = None,
    membership_id: int | None = None,
) -> Select[*tuple[Any, ...]]:
    """Memberships, the newest first, with their household's code: of one household, or the one."""
    query = (
        select(
            LockerMembership.id,
            Household.code.label("household"),
            LockerMembership.starts_on,
            LockerMembership.ends_on,
            LockerMembership.recorded_at,
        )
        .join(Household, Household.id == LockerMembership.household_id)
        .order_by(LockerMembership.id.desc())
    )
    if household_id is not None:
        query = query.where(LockerMembership.household_id == household_id)
    if household is not None:
        query = query.where(Household.code == household)
    if membership_id is not None:
        query = query.where(LockerMembership.id == membership_id)
    return query


def add(
    session: Session,
    *,
    household: str | None = None,
    username: str | None = None,
    starts_on: date,
    ends_on: date,
    by: int,
    now: datetime,
    zone: ZoneInfo,
) -> int:
    """A household is a member on these days, both included; parcels deposited on them profit.

    The household by its code, or that of a resident by username. Returns the membership's id.
    Problem 422 for nobody's name, days in the past or more than a year; 409 `membership-overlap`.
    """
    if starts_on < now.astimezone(zone).date():
        raise invalid("starts_on", "must not lie in the past")
    if not starts_on <= ends_on < starts_on + LONGEST:
        raise invalid("ends_on", "must lie between the first day and a year later")
    household_id = _household(session, household, username)
    _check_free(session, household_id, starts_on, ends_on)
    membership = LockerMembership(
        household_id=household_id,
        starts_on=starts_on,
        ends_on=ends_on,
        recorded_at=now,
        recorded_by=by,
    )
    session.add(membership)
    session.flush()
    return membership.id


def _check_free(session: Session, household_id: int, starts_on: date, ends_on: date) -> None:
    """Nobody is a member twice on a day; who asks at the same time is waited for."""
    alone = select(Household.id).where(Household.id == household_id)
    session.execute(alone.with_for_update(key_share=True))
    overlapping = select(LockerMembership.id).where(
        LockerMembership.household_id == household_id,
        LockerMembership.starts_on <= ends_on,
        LockerMembership.ends_on >= starts_on,
    )
    if session.scalar(overlapping.limit(1)) is not None:
        raise Problem(409, "membership-overlap", "The household is a member on some of these days.")


def _household(session: Session, code: str | None, username: str | None) -> int:
    household = household_by_code(session, code)
    if household is not None:
        return household.id
    query = select(Person.household_id).where(Person.username == (username or "").lower())
    found = session.scalar(query)
    if found is None:
        raise invalid("username", "there is no resident of this name")
    return found
