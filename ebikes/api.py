"""Routes: racks and their groups, households' e-bikes, and chargings."""

from typing import Any

from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters
from sqlalchemy import func, select

from core.db import atomic, db
from core.errors import invalid
from ebikes import chargings, racks
from ebikes.schemas import (
    ChargingFilterSchema,
    ChargingSchema,
    EbikeSchema,
    FurnishSchema,
    GroupSchema,
)
from identity.auth import current, requires
from identity.models import Household
from parking import tags
from parking.models import Vehicle
from parking.plates import Plate

blueprint = Blueprint(
    "ebikes", __name__, url_prefix="/api/v1", description="电动自行车 · racks, e-bikes, charging"
)
blueprints = [blueprint]


@blueprint.get("/lots/<string:code>/groups")
@requires()
@blueprint.response(200, GroupSchema(many=True))
def list_groups(code: str) -> Any:
    """The groups of a rack, and how full they are now."""
    return racks.groups(db.session(), code)


@blueprint.post("/lots/<string:code>/groups")
@requires("admin")
@blueprint.arguments(GroupSchema)
@blueprint.response(201, GroupSchema)
def add_group(new: dict[str, Any], code: str) -> dict[str, Any]:
    """A new group of spots."""
    atomic(racks.add_group, code, **new)
    return new | {"spots": 0, "taken_now": 0}


@blueprint.patch("/lots/<string:code>/spaces")
@requires("admin")
@blueprint.arguments(FurnishSchema)
@blueprint.response(204)
def furnish(changes: dict[str, Any], code: str) -> None:
    """Set up spaces: group, fire compartment, charging or not."""
    codes = changes.pop("codes")
    atomic(racks.furnish, code, codes, changes)


@blueprint.get("/ebikes")
@requires("resident", "operator", "admin")
@blueprint.response(200, EbikeSchema(many=True))
@blueprint.paginate()
def list_ebikes(pagination_parameters: PaginationParameters) -> Any:
    """Registered e-bikes; a resident sees the household's own."""
    query = select(Vehicle).where(Vehicle.vehicle_class == racks.EBIKE).order_by(Vehicle.id)
    if current().household_id is not None:
        query = query.where(Vehicle.household_id == current().household_id)
    counted = select(func.count()).select_from(query.order_by(None).subquery())
    pagination_parameters.item_count = db.session.scalar(counted)
    first, size = pagination_parameters.first_item, pagination_parameters.page_size
    return [_shown(ebike) for ebike in db.session.scalars(query.offset(first).limit(size))]


@blueprint.post("/ebikes")
@requires("operator", "admin")
@blueprint.arguments(EbikeSchema)
@blueprint.response(201, EbikeSchema)
def add_ebike(new: dict[str, Any]) -> dict[str, Any]:
    """Register a household's e-bike by its card or plate."""
    if db.session.get(Household, new["household_id"]) is None:
        raise invalid("household_id", "must be a household")
    return _shown(atomic(racks.register_ebike, new["household_id"], _credential(new)))


@blueprint.delete("/ebikes/<int:vehicle_id>")
@requires("operator", "admin")
@blueprint.response(204)
def remove_ebike(vehicle_id: int) -> None:
    """Forget a lost card, or an e-bike that was sold."""
    atomic(racks.remove_ebike, vehicle_id)


@blueprint.get("/chargings")
@requires("resident", "operator", "finance", "auditor", "admin")
@blueprint.arguments(ChargingFilterSchema, location="query", unknown=None)
@blueprint.response(200, ChargingSchema(many=True))
@blueprint.paginate()
def list_chargings(wanted: dict[str, Any], pagination_parameters: PaginationParameters) -> Any:
    """Chargings, newest first; a resident sees the household's own."""
    matching = {
        "household": current().household_id,
        "stay": wanted["stay_id"],
        "limit": pagination_parameters.page_size,
        "offset": pagination_parameters.first_item,
    }
    pagination_parameters.item_count, page = chargings.chargings(db.session(), matching)
    return page


def _credential(new: dict[str, Any]) -> Plate:
    name = "tag" if "tag" in new else "plate"
    plate = (tags.card if name == "tag" else tags.ebike_plate)(new[name])
    if plate is None:
        rule = "a card's uid" if name == "tag" else "an e-bike's plate"
        raise invalid(name, f"must be {rule}, and no car's plate")
    return plate


def _shown(ebike: Vehicle) -> dict[str, Any]:
    name = "tag" if ebike.plate_color == tags.TAG else "plate"
    return {"id": ebike.id, name: ebike.plate, "household_id": ebike.household_id}
