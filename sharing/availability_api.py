"""Routes: what could be booked, and what another price would mean."""

from datetime import datetime
from typing import Any

from flask_smorest import Blueprint

from core import clock
from core.app import settings
from core.db import db
from identity.auth import requires
from sharing import availability, whatif
from sharing.waitlist_schemas import AvailabilitySchema, ComparisonSchema, SpanSchema, WhatIfSchema

blueprint = Blueprint(
    "availability", __name__, url_prefix="/api/v1", description="余位与调价试算 · what is free"
)


@blueprint.get("/lots/<string:code>/availability")
@requires()
@blueprint.arguments(SpanSchema, location="query")
@blueprint.response(200, AvailabilitySchema)
def show_availability(span: dict[str, datetime], code: str) -> dict[str, Any]:
    """How many spaces of a lot could be booked for a time, if asked at once."""
    now, zone = clock.now(), settings().zone
    return availability.availability(db.session(), code, **span, now=now, zone=zone)


@blueprint.post("/tariffs/<int:tariff_id>/what-if")
@requires("finance", "auditor", "admin")
@blueprint.arguments(WhatIfSchema)
@blueprint.response(200, ComparisonSchema)
def what_if(asked: dict[str, Any], tariff_id: int) -> dict[str, Any]:
    """What a month's real stays would have cost under other rules; nothing is changed."""
    now, zone = clock.now(), settings().zone
    return whatif.what_if(db.session(), tariff_id, **asked, now=now, zone=zone)
