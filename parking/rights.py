"""Who may park: households' vehicles, and plates the gate must not let in."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Problem, invalid, not_found
from parking import plates
from parking.models import BlockedPlate, Vehicle
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


def block(session: Session, plate: Plate, reason: str) -> None:
    """The gate must not let this plate in, whatever its colour."""
    session.merge(BlockedPlate(plate=plate.text, reason=reason))


def unblock(session: Session, plate: Plate) -> None:
    """The gate may let this plate in again; Problem 404 if it was not blocked."""
    blocked = session.get(BlockedPlate, plate.text)
    if blocked is None:
        raise not_found("blocked plate")
    session.delete(blocked)
