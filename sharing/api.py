"""Routes of what is offered: spaces and their sharing windows, permits, the calendar."""

from datetime import date
from typing import Any

from flask import Response, jsonify
from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters
from sqlalchemy import func, select

from core import clock
from core.app import settings
from core.db import atomic, db
from core.errors import Problem, invalid
from identity.auth import current, requires
from parking import rights
from parking.models import Lot, Permit, Space
from sharing import (
    availability_api,
    booking_api,
    calendar_days,
    decrees,
    granting,
    places,
    waitlist_api,
)
from sharing import offering as sharing
from sharing.models import SharingWindow
from sharing.schemas import (
    YEARS,
    CalendarDaySchema,
    CalendarFilterSchema,
    CalendarSchema,
    DeskSpaceSchema,
    PermitSchema,
    SharingWindowPatchSchema,
    SharingWindowSchema,
    SpaceFilterSchema,
    SpacePatchSchema,
    SpaceSchema,
)

shared = Blueprint(
    "sharing",
    __name__,
    url_prefix="/api/v1",
    description="车位与共享时段 · spaces, sharing windows",
)
standing = Blueprint("permits", __name__, url_prefix="/api/v1", description="月卡 · permits")
calendar = Blueprint("calendar", __name__, url_prefix="/api/v1", description="日历 · calendar")
blueprints = [
    shared,
    standing,
    calendar,
    availability_api.blueprint,
    booking_api.blueprint,
    waitlist_api.blueprint,
]


@shared.get("/spaces")
@requires("resident", "operator", "admin")
@shared.arguments(SpaceFilterSchema, location="query")
@shared.response(200, SpaceSchema(many=True))
@shared.paginate()
def list_spaces(wanted: dict[str, Any], pagination_parameters: PaginationParameters) -> Response:
    """Spaces by code; only the desk sees whose they are."""
    query = places.spaces(current().household_id, clock.now(), **wanted)
    counted = select(func.count()).select_from(query.order_by(None).subquery())
    pagination_parameters.item_count = db.session.scalar(counted)
    first, size = pagination_parameters.first_item, pagination_parameters.page_size
    found = db.session.execute(query.offset(first).limit(size)).mappings()
    return jsonify(_space_schema()(many=True).dump(found))


@shared.patch("/spaces/<string:code>")
@requires("operator", "admin")
@shared.arguments(SpacePatchSchema)
@shared.response(200, DeskSpaceSchema)
def change_space(changes: dict[str, Any], code: str) -> Any:
    """Change what a space is or whether it is in service; an admin also whose it is."""
    if "owner_household_id" in changes and current().role != "admin":
        raise Problem(403, "forbidden", "Only an admin gives a space to somebody.")
    now = clock.now()
    atomic(places.change_space, code, changes, now, settings().zone)
    return db.session.execute(places.spaces(None, now, code=code)).mappings().one()


@shared.get("/spaces/<string:code>/sharing-windows")
@requires("resident", "operator", "admin")
@shared.response(200, SharingWindowSchema(many=True))
def list_windows(code: str) -> Any:
    """When a private space is offered."""
    return sharing.windows(db.session(), code, _offerer())


@shared.post("/spaces/<string:code>/sharing-windows")
@requires("resident", "operator", "admin")
@shared.arguments(SharingWindowSchema)
@shared.response(201, SharingWindowSchema)
def offer_window(window: dict[str, Any], code: str) -> SharingWindow:
    """Offer a private space."""
    return atomic(sharing.offer, code, _offerer(), window, clock.now(), settings().zone)


@shared.patch("/spaces/<string:code>/sharing-windows/<int:window_id>")
@requires("resident", "operator", "admin")
@shared.arguments(SharingWindowPatchSchema(partial=True))
@shared.response(200, SharingWindowSchema)
def change_window(changes: dict[str, Any], code: str, window_id: int) -> SharingWindow:
    """Change a window; bookings outside of it are moved, or 409 `active-bookings` names them."""
    who, now = _offerer(), clock.now()
    return atomic(sharing.change, code, window_id, who, changes, now, settings().zone)


@shared.delete("/spaces/<string:code>/sharing-windows/<int:window_id>")
@requires("resident", "operator", "admin")
@shared.response(204)
def withdraw_window(code: str, window_id: int) -> None:
    """Take a window back; bookings in it are moved, or 409 `active-bookings` names them."""
    atomic(sharing.withdraw, code, window_id, _offerer(), clock.now(), settings().zone)


@standing.get("/permits")
@requires("operator", "admin")
@standing.response(200, PermitSchema(many=True))
@standing.paginate()
def list_permits(pagination_parameters: PaginationParameters) -> list[dict[str, Any]]:
    """Every permit, newest first."""
    query = (
        select(Permit, Lot.code, Space.code)
        .join(Lot, Lot.id == Permit.lot_id)
        .outerjoin(Space, Space.id == Permit.space_id)
        .order_by(Permit.id.desc())
    )
    pagination_parameters.item_count = db.session.scalar(select(func.count(Permit.id)))
    first, size = pagination_parameters.first_item, pagination_parameters.page_size
    return [_permit(*row) for row in db.session.execute(query.offset(first).limit(size))]


@standing.post("/permits")
@requires("operator", "admin")
@standing.arguments(PermitSchema)
@standing.response(201, PermitSchema)
def add_permit(new: dict[str, Any]) -> dict[str, Any]:
    """Give plates a standing right; a fixed space is theirs alone from then on."""
    if new["ends_at"] <= clock.now():
        raise invalid("ends_at", "must not lie in the past")
    alone = {name: new.pop(name) for name in ("plate", "plate_color") if name in new}
    named = new.pop("plates", [alone])
    plates = [rights.plate_of(one["plate"], one.get("plate_color", "unknown")) for one in named]
    permit = atomic(granting.grant_permit, plates=plates, **new)
    return _permit(permit, new["lot"], new["space"])


@standing.delete("/permits/<int:permit_id>")
@requires("operator", "admin")
@standing.response(204)
def end_permit(permit_id: int) -> None:
    """End a permit now."""
    atomic(granting.end_permit, permit_id, clock.now())


@calendar.get("/calendar")
@requires()
@calendar.arguments(CalendarFilterSchema, location="query")
@calendar.response(200, CalendarSchema)
def show_calendar(wanted: dict[str, int]) -> dict[str, Any]:
    """A year's holidays and make-up workdays, and whether they are final."""
    this_year = clock.now().astimezone(settings().zone).year
    return calendar_days.of_year(db.session(), wanted.get("year", this_year))


@calendar.put("/calendar/<string:day>")
@requires("operator", "admin")
@calendar.arguments(CalendarDaySchema)
@calendar.response(200, CalendarDaySchema)
def decree_day(said: dict[str, Any], day: str) -> dict[str, Any]:
    """Say what kind of day a date is; offers follow at once, or 409 `active-bookings`."""
    return atomic(decrees.decree, _date(day), **said, now=clock.now(), zone=settings().zone)


@calendar.delete("/calendar/<string:day>")
@requires("operator", "admin")
@calendar.response(204)
def revoke_day(day: str) -> None:
    """Let a date be again what the published calendar says."""
    atomic(decrees.revoke, _date(day), now=clock.now(), zone=settings().zone)


def _offerer() -> sharing.Offerer:
    return sharing.Offerer(current().id, current().household_id)


def _space_schema() -> type[SpaceSchema]:
    return SpaceSchema if current().role == "resident" else DeskSpaceSchema


def _permit(permit: Permit, lot: str, space: str | None) -> dict[str, Any]:
    own = ("id", "kind", "starts_at", "ends_at", "hours", "places", "swap_minutes", "plates")
    first = permit.plates[0]
    return {name: getattr(permit, name) for name in own} | {
        "lot": lot,
        "space": space,
        "plate": first.plate,
        "plate_color": first.plate_color,
    }


def _date(day: str) -> date:
    try:
        found = date.fromisoformat(day)
    except ValueError as error:
        raise invalid("day", "must be a date") from error
    if not YEARS[0] <= found < YEARS[1]:
        raise invalid("day", "must lie between the years 2000 and 2100")
    return found
