"""Who may park: households' vehicles, permits, and plates the gate must not let in."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Problem, invalid, not_found
from parking import lots, plates
from parking.models import BlockedPlate, Permit, Space, Vehicle
from parking.plates import Plate


def plate_of(read: str, color: str = "unknown") -> Plate:
    """The plate somebody typed; Problem 422 when it is none."""
    plate = plates.parse(read, color)
    if plate is None:
        raise invalid("plate", "must be a Chinese number plate")
    return plate


def register_vehicle(session: Session, household_id: int, plate: Plate) -> Vehicle:
    """A household's vehicle; Problem 409 when somebody has registered it."""
    known = select(Vehicle.id).where(
        Vehicle.plate == plate.text, Vehicle.plate_color == plate.color
    )
    if session.scalar(known):
        raise Problem(409, "vehicle-exists", "This vehicle is registered.")
    vehicle = Vehicle(plate=plate.text, plate_color=plate.color, household_id=household_id)
    session.add(vehicle)
    session.flush()
    return vehicle


def grant_permit(
    session: Session,
    *,
    lot: str,
    kind: str,
    plate: Plate,
    starts_at: datetime,
    ends_at: datetime,
    space: str | None = None,
) -> Permit:
    """A standing right `[starts_at, ends_at)` in a lot, perhaps to one fixed space."""
    if ends_at <= starts_at:
        raise invalid("ends_at", "must be later than starts_at")
    lot_id = lots.lot_by_code(session, lot).id
    permit = Permit(
        lot_id=lot_id,
        kind=kind,
        plate=plate.text,
        plate_color=plate.color,
        space_id=_space_id(session, lot_id, space) if space else None,
        starts_at=starts_at,
        ends_at=ends_at,
    )
    session.add(permit)
    session.flush()
    return permit


def end_permit(session: Session, permit_id: int, now: datetime) -> None:
    """A permit ends now; one that has not begun is as if it never was."""
    permit = session.get(Permit, permit_id, with_for_update=True)
    if permit is None or permit.ends_at <= now:
        raise not_found("permit")
    if permit.starts_at >= now:
        session.delete(permit)
    else:
        permit.ends_at = now


def block(session: Session, plate: Plate, reason: str) -> None:
    """The gate must not let this plate in, whatever its colour."""
    session.merge(BlockedPlate(plate=plate.text, reason=reason))


def unblock(session: Session, plate: Plate) -> None:
    """The gate may let this plate in again; Problem 404 if it was not blocked."""
    blocked = session.get(BlockedPlate, plate.text)
    if blocked is None:
        raise not_found("blocked plate")
    session.delete(blocked)


def _space_id(session: Session, lot_id: int, code: str) -> int:
    space_id = session.scalar(select(Space.id).where(Space.code == code, Space.lot_id == lot_id))
    if space_id is None:
        raise invalid("space", "must be a space of this lot")
    return space_id
