"""Spaces as people see them, and what the desk changes about one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from core.db import driver
from core.errors import Problem, invalid, not_found
from identity.models import Household
from parking import compartments
from parking.models import Lot, Space
from sharing import offering as sharing
from sharing import offers
from sharing.making_way import booked, make_way
from sharing.models import SpaceClaim

# The bookings that hold a space from now on; with a wish, those that need what it names.
HELD = """
b.space_id = %(space)s AND b.ends_at > %(now)s
AND (%(wish)s::text IS NULL OR (b.wish ->> %(wish)s)::boolean)
"""


def spaces(
    household_id: int | None,
    now: datetime,
    *,
    lot: str | None = None,
    mine: bool = False,
    code: str | None = None,
) -> Select[*tuple[Any, ...]]:
    """Spaces by code; `mine` are those of the household that asks."""
    own = func.coalesce(Space.owner_household_id == household_id, False)
    offered = Space.in_service & func.coalesce(Space.offered.contains(now), True)
    query: Select[*tuple[Any, ...]] = (
        select(
            Space.code,
            Lot.code.label("lot"),
            Space.owner_household_id.is_not(None).label("private"),
            own.label("mine"),
            Space.owner_household_id,
            Space.charging,
            Space.accessible,
            Space.building,
            Space.in_service,
            offered.label("offered_now"),
        )
        .join(Lot, Lot.id == Space.lot_id)
        .order_by(Space.code)
    )
    if lot is not None:
        query = query.where(Lot.code == lot)
    if mine:
        query = query.where(own)
    if code is not None:
        query = query.where(Space.code == code)
    return query


def change_space(
    session: Session, code: str, changes: Mapping[str, Any], now: datetime, zone: ZoneInfo
) -> None:
    """Change what a space is, whether it is in service, or whose it is; keys absent stay.

    Bookings that cannot stay are moved, or named by Problem 409; a space on which a vehicle
    stands does not go out of service. A new owner begins without sharing windows.
    """
    space = session.scalar(select(Space).where(Space.code == code))
    if space is None:
        raise not_found("space")
    offers.lock(session, [space.id])
    session.refresh(space)
    if space.in_service and changes.get("in_service") is False:
        _check_nobody_stands_there(session, space.id)
        _make_way(session, space.id, None, now, zone)
    for need in ("charging", "accessible"):
        if getattr(space, need) and changes.get(need) is False:
            _make_way(session, space.id, need, now, zone)
    owner = changes.get("owner_household_id", space.owner_household_id)
    for name in ("charging", "accessible", "building", "in_service"):
        if name in changes:
            setattr(space, name, changes[name])
    if owner != space.owner_household_id:
        _hand_over(session, space, owner, now, zone)
    session.flush()
    compartments.check(session)


def _hand_over(
    session: Session, space: Space, owner: int | None, now: datetime, zone: ZoneInfo
) -> None:
    sharing.withdraw_all(session, space.id, now)
    if owner is None:
        space.owner_household_id = None
        offers.refresh(session, [space.id], now, zone)
        return
    if session.get(Household, owner) is None:
        raise invalid("owner_household_id", "must be a household")
    if space.owner_household_id is None:
        offers.replace(session, {space.id: []}, now, zone)
    space.owner_household_id = owner
    offers.refresh(session, [space.id], now, zone)


def _check_nobody_stands_there(session: Session, space_id: int) -> None:
    standing = select(SpaceClaim.id).where(
        SpaceClaim.space_id == space_id, SpaceClaim.live, SpaceClaim.stay_id.is_not(None)
    )
    if session.scalar(standing.limit(1)) is not None:
        raise Problem(409, "space-occupied", "A vehicle stands on this space.")


def _make_way(
    session: Session, space_id: int, wish: str | None, now: datetime, zone: ZoneInfo
) -> None:
    session.flush()
    connection = driver(session)
    held = booked(connection, HELD, {"space": space_id, "wish": wish}, now)
    make_way(connection, held, now=now, zone=zone)
