"""Routes: what could be booked, and what another price would mean."""

from datetime import datetime
from typing import Any

from flask_smorest import Blueprint

from core import clock
from core.app import settings
from core.db import db
from identity.auth import requires
from parking import availability
from parking.waitlist_schemas import AvailabilitySchema, SpanSchema

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
