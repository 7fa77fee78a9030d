"""Routes: devices and their tokens, and the exceptions list."""

from typing import Any

from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic, db
from devices import exceptions, registry
from devices.models import Device, ExceptionCase, Lane
from devices.schemas import (
    DeviceSchema,
    ExceptionFilterSchema,
    ExceptionSchema,
    ResolutionSchema,
    TokenSchema,
)
from identity.auth import current, requires

blueprint = Blueprint(
    "devices", __name__, url_prefix="/api/v1", description="设备与异常 · devices, exceptions"
)
blueprints = [blueprint]


@blueprint.get("/devices")
@requires("operator", "admin")
@blueprint.response(200, DeviceSchema(many=True))
def list_devices() -> list[dict[str, Any]]:
    """Every device, where it stands and when it was last heard."""
    query = select(Device, Lane.code).outerjoin(Lane, Lane.id == Device.lane_id)
    rows = db.session.execute(query.order_by(Device.code))
    return [_device(device) | {"lane": lane} for device, lane in rows]


@blueprint.post("/devices")
@requires("admin")
@blueprint.arguments(DeviceSchema)
@blueprint.response(201, TokenSchema)
def add_device(new: dict[str, Any]) -> dict[str, Any]:
    """Register a device; the answer is the only sight of its token."""
    return atomic(_issue, new)


@blueprint.post("/devices/<string:code>/token")
@requires("admin")
@blueprint.response(201, TokenSchema)
def rotate_token(code: str) -> dict[str, Any]:
    """Give a device a new token; the old one works for one more day."""
    return atomic(_rotate, code)


@blueprint.get("/exceptions")
@requires("operator", "admin")
@blueprint.arguments(ExceptionFilterSchema, location="query")
@blueprint.response(200, ExceptionSchema(many=True))
@blueprint.paginate()
def list_exceptions(
    wanted: dict[str, Any], pagination_parameters: PaginationParameters
) -> list[dict[str, Any]]:
    """What needs a person's eye, newest first."""
    query = exceptions.cases(**wanted)
    pagination_parameters.item_count = db.session.scalar(
        select(func.count()).select_from(query.order_by(None).subquery())
    )
    page = query.offset(pagination_parameters.first_item).limit(pagination_parameters.page_size)
    return [_case(*row) for row in db.session.execute(page)]


@blueprint.post("/exceptions/<int:case_id>/resolve")
@requires("operator", "admin")
@blueprint.arguments(ResolutionSchema)
@blueprint.response(200, ExceptionSchema)
def resolve_exception(resolution: dict[str, str], case_id: int) -> dict[str, Any]:
    """Close an exception with a reason."""
    atomic(exceptions.resolve, case_id, current().id, resolution["reason"], clock.now())
    row = db.session.execute(exceptions.cases().where(ExceptionCase.id == case_id)).one()
    return _case(*row)


def _issue(session: Session, new: dict[str, Any]) -> dict[str, Any]:
    return _token(registry.register(session, **new))


def _rotate(session: Session, code: str) -> dict[str, Any]:
    return _token(registry.rotate(session, code, clock.now()))


def _token(issued: registry.Issued) -> dict[str, Any]:
    return {"id": issued.device.code, "token": issued.token, "serial": issued.device.serial}


def _device(device: Device) -> dict[str, Any]:
    names = ("code", "serial", "kind", "display", "active", "last_seen_at", "clock_off_seconds")
    return {name: getattr(device, name) for name in names}


def _case(case: ExceptionCase, device: str | None, lane: str | None) -> dict[str, Any]:
    about = ("id", "reason", "plate", "event_id", "subject", "subject_id", "raised_at")
    names = (*about, "resolved_at", "resolved_by", "resolution")
    shown = {name: getattr(case, name) for name in names}
    return shown | {"device": device, "lane": lane}
