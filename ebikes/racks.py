"""Setting up racks: groups with their fire limit, what spots are like, and households' e-bikes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from core.errors import Problem, invalid, not_found
from parking import compartments
from parking.lots import lot_by_code
from parking.models import Lot, Space, SpaceGroup, Vehicle
from parking.plates import Plate
from sharing.models import SpaceClaim

EBIKE = "ebike"


def add_group(session: Session, lot: str, code: str, capacity: int) -> SpaceGroup:
    """A group of spots in a rack; Problem 422 in a garage for cars, 409 when the code is taken."""
    lot_id = _rack(session, lot).id
    taken = select(SpaceGroup.id).where(SpaceGroup.lot_id == lot_id, SpaceGroup.code == code)
    if session.scalar(taken):
        raise Problem(409, "group-exists", "There is a group of this code in this lot.")
    group = SpaceGroup(lot_id=lot_id, code=code, capacity=capacity)
    session.add(group)
    session.flush()
    return group


def groups(session: Session, lot: str) -> Sequence[RowMapping]:
    """The groups of a lot: their capacity, their spots, and how many of them stand full now."""
    inside = (
        select(func.count(SpaceClaim.id))
        .where(SpaceClaim.live, SpaceClaim.stay_id.is_not(None))
        .where(SpaceClaim.group_id == SpaceGroup.id, SpaceClaim.lot_id == SpaceGroup.lot_id)
        .scalar_subquery()
    )
    query = (
        select(
            SpaceGroup.code,
            SpaceGroup.capacity,
            func.count(Space.id).label("spots"),
            inside.label("taken_now"),
        )
        .outerjoin(Space, Space.group_id == SpaceGroup.id)
        .where(SpaceGroup.lot_id == lot_by_code(session, lot).id)
        .group_by(SpaceGroup.id)
        .order_by(SpaceGroup.code)
    )
    return session.execute(query).mappings().all()


def furnish(session: Session, lot: str, codes: Sequence[str], changes: dict[str, Any]) -> None:
    """Set up spaces of a lot: group (its code), fire compartment, charging or not.

    Keys absent stay as they are. Problem 422 for spaces or groups the lot has not, and when a
    charging spot of a rack would lie in one fire compartment with cars; 409 when a space is
    claimed whose group would change, or that would cease to charge.
    """
    place = lot_by_code(session, lot)
    values = dict(changes)
    if "group" in values:
        values["group_id"] = _group_id(session, place, values.pop("group"))
        _check_unclaimed(session, codes, Space.group_id.is_distinct_from(values["group_id"]))
    if values.get("charging") is False:
        _check_unclaimed(session, codes, Space.charging)
    changed = session.scalars(
        update(Space)
        .where(Space.lot_id == place.id, Space.code.in_(codes))
        .values(**values)
        .returning(Space.code)
        .execution_options(synchronize_session=False)
    ).all()
    if missing := sorted(set(codes) - set(changed)):
        raise invalid("codes", f"this lot has no {', '.join(missing[:5])}")
    compartments.check(session)


def register_ebike(session: Session, household_id: int, plate: Plate) -> Vehicle:
    """A household's e-bike, known by a card or its plate; Problem 409 when it is somebody's."""
    known = select(Vehicle.id).where(
        Vehicle.plate == plate.text, Vehicle.plate_color == plate.color
    )
    if session.scalar(known):
        raise Problem(409, "vehicle-exists", "This card or plate is registered.")
    ebike = Vehicle(
        plate=plate.text,
        plate_color=plate.color,
        household_id=household_id,
        vehicle_class=EBIKE,
    )
    session.add(ebike)
    session.flush()
    return ebike


def remove_ebike(session: Session, vehicle_id: int) -> None:
    """A lost card, or an e-bike sold: it is a stranger's from now on."""
    ebike = session.get(Vehicle, vehicle_id)
    if ebike is None or ebike.vehicle_class != EBIKE:
        raise not_found("e-bike")
    session.delete(ebike)


def _rack(session: Session, code: str) -> Lot:
    lot = lot_by_code(session, code)
    if lot.kind != EBIKE:
        raise invalid("lot", "only racks for e-bikes have groups")
    return lot


def _group_id(session: Session, lot: Lot, code: str | None) -> int | None:
    if code is None:
        return None
    query = select(SpaceGroup.id).where(SpaceGroup.lot_id == lot.id, SpaceGroup.code == code)
    group_id = session.scalar(query)
    if group_id is None:
        raise invalid("group", "must be a group of this lot")
    return group_id


def _check_unclaimed(
    session: Session,
    codes: Sequence[str],
    changes: ColumnElement[bool] | InstrumentedAttribute[bool],
) -> None:
    """Claims carry the group they count in, and were made for what the space is."""
    query = (
        select(Space.code)
        .join(SpaceClaim, (SpaceClaim.space_id == Space.id) & SpaceClaim.live)
        .where(Space.code.in_(codes), changes)
        .order_by(Space.code)
        .limit(1)
    )
    if claimed := session.scalar(query):
        raise Problem(409, "space-claimed", f"{claimed} is claimed now.")
