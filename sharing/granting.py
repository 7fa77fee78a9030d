"""Permits granted and ended; a fixed space is reserved, and bookings there make way."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core import clock
from core.app import settings
from core.errors import Problem, invalid, not_found
from parking import lots
from parking.models import Permit, PermitPlate, Space
from parking.permits import Right, granted
from parking.plates import Plate
from parking.windows import subtract
from sharing import offers

FIVE_WEEKS = timedelta(weeks=5)


def grant_permit(
    session: Session,
    *,
    lot: str,
    kind: str,
    plates: Sequence[Plate],
    starts_at: datetime,
    ends_at: datetime,
    space: str | None = None,
    hours: Sequence[Mapping[str, Any]] | None = None,
    places: int = 1,
    swap_minutes: int = 0,
) -> Permit:
    """A standing right `[starts_at, ends_at)` of these plates in a lot.

    With a space it reserves that one: bookings there are moved, or Problem 409 names them, and
    it is refused (409 too) where somebody else's permit reserves the space at the same time.
    Without, it counts `places` of the lot's capacity. `hours` as `permits.weekly_hours` reads
    them limit it to parts of the week; one vehicle more may come for `swap_minutes`.
    """
    if ends_at <= starts_at:
        raise invalid("ends_at", "must be later than starts_at")
    if not plates or len({plate.text for plate in plates}) < len(plates):
        raise invalid("plates", "must be at least one, each once")
    if space is not None and places != 1:
        raise invalid("places", "must be 1 with a space")
    garage = lots.lot_by_code(session, lot)
    if garage.kind != "car":
        raise invalid("lot", "must be a lot for cars: docks know no permits")
    lot_id = garage.id
    _one_at_a_time(session, plates)
    permit = Permit(
        lot_id=lot_id,
        kind=kind,
        space_id=_space_id(session, lot_id, space) if space else None,
        starts_at=starts_at,
        ends_at=ends_at,
        hours=None if hours is None else [dict(one) for one in hours],
        places=places,
        swap_minutes=swap_minutes,
        plates=[PermitPlate(plate=one.text, plate_color=one.color) for one in plates],
    )
    if permit.space_id is not None:
        _reserving(session, permit.space_id)
        _check_not_anothers(session, permit)
    session.add(permit)
    _reserved(session, permit.space_id)
    return permit


def end_permit(session: Session, permit_id: int, now: datetime) -> None:
    """A permit ends now and gives its space back; one not begun is as if it never was."""
    known = session.scalars(select(PermitPlate).where(PermitPlate.permit_id == permit_id))
    _one_at_a_time(session, [Plate(one.plate, one.plate_color) for one in known])
    permit = session.get(Permit, permit_id, with_for_update=True)
    if permit is None or permit.ends_at <= now:
        raise not_found("permit")
    _reserving(session, permit.space_id)
    if permit.starts_at >= now:
        session.execute(delete(Permit).where(Permit.id == permit_id))
    else:
        permit.ends_at = now
    _reserved(session, permit.space_id)


def _space_id(session: Session, lot_id: int, code: str) -> int:
    space_id = session.scalar(select(Space.id).where(Space.code == code, Space.lot_id == lot_id))
    if space_id is None:
        raise invalid("space", "must be a space of this lot")
    return space_id


def _one_at_a_time(session: Session, plates: Sequence[Plate]) -> None:
    """The gate decides about these plates before or after what is done here, not meanwhile."""
    for plate in sorted(one.text for one in plates):
        key = func.hashtextextended(f"plate {plate}", 0)
        session.execute(select(func.pg_advisory_xact_lock(key)))


def _reserving(session: Session, space_id: int | None) -> None:
    if space_id is not None:
        offers.lock(session, [space_id])


def _check_not_anothers(session: Session, new: Permit) -> None:
    """One space is not reserved for two at once; a renewal shares a plate with what it renews."""
    others = session.scalars(
        select(Permit).where(
            Permit.space_id == new.space_id,
            Permit.starts_at < new.ends_at,
            Permit.ends_at > new.starts_at,
        )
    )
    own = {one.plate for one in new.plates}
    for other in others:
        if own.isdisjoint(one.plate for one in other.plates) and _meet(new, other):
            detail = "Another permit reserves this space at that time."
            raise Problem(409, "space-reserved", detail, permit_id=other.id)


def _meet(one: Permit, other: Permit) -> bool:
    """Whether two permits hold at one instant, by the hours of five weeks."""
    since = max(one.starts_at, other.starts_at)
    until = min(one.ends_at, other.ends_at, since + FIVE_WEEKS)
    held = [
        granted(
            Right.of(permit.starts_at, permit.ends_at, permit.hours),
            since,
            until,
            zone=settings().zone,
            is_holiday=lambda _: False,
        )
        for permit in (one, other)
    ]
    return subtract(held[0], held[1]) != held[0]


def _reserved(session: Session, space_id: int | None) -> None:
    """What the permits of a space leave of it is offered from here on."""
    session.flush()
    if space_id is not None:
        offers.refresh(session, [space_id], clock.now(), settings().zone)
