"""Routes: lots and what they cost, who may park, and the stays."""

from typing import Any

from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.app import settings
from core.db import atomic, db
from core.errors import invalid
from core.paging import page_of
from identity.auth import current, requires
from identity.models import Household
from parking import known, lots, plates, rights, stays
from parking.models import BlockedPlate, Tariff, Vehicle
from parking.schemas import (
    BlockedPlateSchema,
    BlockSchema,
    CloseSchema,
    LaneSchema,
    LotSchema,
    SpacesSchema,
    StayFilterSchema,
    StaySchema,
    SuggestionSchema,
    TariffSchema,
    VehicleSchema,
)

garage = Blueprint("lots", __name__, url_prefix="/api/v1", description="车场 · lots and tariffs")
permission = Blueprint(
    "rights", __name__, url_prefix="/api/v1", description="通行权 · vehicles, blocks"
)
observed = Blueprint("stays", __name__, url_prefix="/api/v1", description="停车记录 · stays")
blueprints = [garage, permission, observed]


@garage.get("/lots")
@requires()
@garage.response(200, LotSchema(many=True))
def list_lots() -> Any:
    """Every lot and what is free now."""
    return lots.lots(db.session(), clock.now(), settings().zone)


@garage.post("/lots")
@requires("admin")
@garage.arguments(LotSchema)
@garage.response(201, LotSchema)
def add_lot(new: dict[str, Any]) -> dict[str, Any]:
    """A new lot."""
    atomic(lots.add_lot, **new)
    return new | {"capacity": 0, "free_now": 0}


@garage.post("/lots/<string:code>/spaces")
@requires("admin")
@garage.arguments(SpacesSchema)
@garage.response(204)
def add_spaces(new: dict[str, Any], code: str) -> None:
    """New spaces of a lot."""
    atomic(_add_spaces, code, **new)


@garage.post("/lots/<string:code>/lanes")
@requires("admin")
@garage.arguments(LaneSchema)
@garage.response(201, LaneSchema)
def add_lane(new: dict[str, Any], code: str) -> dict[str, Any]:
    """A way into or out of a lot."""
    atomic(lambda session: lots.add_lane(session, lots.lot_by_code(session, code), **new))
    return new


@garage.get("/lots/<string:code>/tariffs")
@requires()
@garage.response(200, TariffSchema(many=True))
def list_tariffs(code: str) -> Any:
    """Every price version of a lot, newest first."""
    lot = lots.lot_by_code(db.session(), code)
    return db.session.scalars(
        select(Tariff).where(Tariff.lot_id == lot.id).order_by(Tariff.version.desc())
    )


@garage.post("/lots/<string:code>/tariffs")
@requires("admin", "finance")
@garage.arguments(TariffSchema)
@garage.response(201, TariffSchema)
def add_tariff(new: dict[str, Any], code: str) -> Tariff:
    """The next price version, from `valid_from` (now, if not given); never for the past."""
    now = clock.now()
    valid_from = new["valid_from"] or now
    if valid_from < now:
        raise invalid("valid_from", "must not lie in the past")
    return atomic(
        lambda session: lots.add_tariff(
            session, lots.lot_by_code(session, code), new["rules"], valid_from
        )
    )


@permission.get("/vehicles")
@requires("resident", "operator", "admin")
@permission.response(200, VehicleSchema(many=True))
@permission.paginate()
def list_vehicles(pagination_parameters: PaginationParameters) -> Any:
    """Registered vehicles; a resident sees the household's own."""
    query = select(Vehicle).order_by(Vehicle.id)
    if current().household_id is not None:
        query = query.where(Vehicle.household_id == current().household_id)
    return page_of(query, pagination_parameters)


@permission.post("/vehicles")
@requires("operator", "admin")
@permission.arguments(VehicleSchema)
@permission.response(201, VehicleSchema)
def add_vehicle(new: dict[str, Any]) -> Vehicle:
    """Register a household's vehicle."""
    if db.session.get(Household, new["household_id"]) is None:
        raise invalid("household_id", "must be a household")
    plate = rights.plate_of(new["plate"], new["plate_color"])
    return atomic(rights.register_vehicle, new["household_id"], plate)


@permission.get("/blocked-plates")
@requires("operator", "admin")
@permission.response(200, BlockedPlateSchema(many=True))
@permission.paginate()
def list_blocked_plates(pagination_parameters: PaginationParameters) -> Any:
    """Plates that must not come in."""
    return page_of(select(BlockedPlate).order_by(BlockedPlate.plate), pagination_parameters)


@permission.put("/blocked-plates/<string:plate>")
@requires("operator", "admin")
@permission.arguments(BlockSchema)
@permission.response(204)
def block_plate(body: dict[str, str], plate: str) -> None:
    """Keep a plate out."""
    atomic(rights.block, rights.plate_of(plate), body["reason"])


@permission.delete("/blocked-plates/<string:plate>")
@requires("operator", "admin")
@permission.response(204)
def unblock_plate(plate: str) -> None:
    """Let a plate in again."""
    atomic(rights.unblock, rights.plate_of(plate))


@permission.get("/plates/<string:read>/suggestions")
@requires("operator", "admin")
@permission.response(200, SuggestionSchema(many=True))
def suggest_plates(read: str) -> Any:
    """Known vehicles that a plate may be which was read with one wrong character."""
    return known.alike(db.session(), read, clock.now())


@observed.get("/stays")
@requires("resident", "operator", "finance", "auditor", "admin")
@observed.arguments(StayFilterSchema, location="query")
@observed.response(200, StaySchema(many=True))
@observed.paginate()
def list_stays(wanted: dict[str, Any], pagination_parameters: PaginationParameters) -> Any:
    """Stays, newest first; a resident sees those of the household's plates."""
    matching = {
        "plate": plates.normalise(wanted["plate"]) if wanted["plate"] else None,
        "status": wanted["status"],
        "household": current().household_id,
        "limit": pagination_parameters.page_size,
        "offset": pagination_parameters.first_item,
    }
    pagination_parameters.item_count, page = stays.stays(
        db.session(), matching, clock.now(), settings().zone
    )
    return page


@observed.get("/stays/<int:stay_id>")
@requires("resident", "operator", "finance", "auditor", "admin")
@observed.response(200, StaySchema)
def show_stay(stay_id: int) -> dict[str, Any]:
    """One stay with its fee as it stands, line by line."""
    household = current().household_id
    return stays.stay(db.session(), stay_id, household, clock.now(), settings().zone)


@observed.post("/stays/<int:stay_id>/close")
@requires("operator", "admin")
@observed.arguments(CloseSchema)
@observed.response(200, StaySchema)
def close_stay(body: dict[str, Any], stay_id: int) -> dict[str, Any]:
    """End a stay whose exit no camera saw; what it owes is charged and stays due."""
    now, zone = clock.now(), settings().zone
    atomic(
        stays.close_by_hand,
        stay_id,
        exited_at=body["exited_at"] or now,
        reason=body["reason"],
        person_id=current().id,
        now=now,
        zone=zone,
    )
    return stays.stay(db.session(), stay_id, None, now, zone)


def _add_spaces(
    session: Session, code: str, codes: list[str], owner_household_id: int | None
) -> None:
    if owner_household_id and session.get(Household, owner_household_id) is None:
        raise invalid("owner_household_id", "must be a household")
    owners = dict.fromkeys(codes, owner_household_id) if owner_household_id else None
    lots.add_spaces(session, lots.lot_by_code(session, code), codes, owners)
