"""Routes: waiting for a full lot, and how fairly it is given out."""

from typing import Any

from flask import Response
from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters
from sqlalchemy.orm import Session

from core import clock
from core.app import settings
from core.db import atomic, db
from core.idempotency import ONCE, once
from identity.auth import current, requires
from parking import lots
from sharing import fairness, waiting
from sharing.booking_facts import NewBooking
from sharing.waitlist_schemas import DrawSchema, FairnessSchema, MonthSchema, WaitlistEntrySchema

blueprint = Blueprint("waitlist", __name__, url_prefix="/api/v1", description="候补 · waitlist")


@blueprint.post("/waitlist")
@requires("resident")
@blueprint.doc(parameters=ONCE)
@blueprint.arguments(WaitlistEntrySchema)
@blueprint.response(201, WaitlistEntrySchema)
def join(body: dict[str, Any]) -> Response:
    """Wait for a space; it is booked, in order, as soon as one is free, or at once."""
    who, now, zone = current(), clock.now(), settings().zone
    new = NewBooking(**body, person_id=who.id, household_id=who.household_id)

    def effect(session: Session) -> dict[str, Any]:
        shown: dict[str, Any] = WaitlistEntrySchema().dump(waiting.join(session, new, now, zone))
        return shown

    return once(f"person:{who.id}", body, 201, effect)


@blueprint.get("/waitlist")
@requires("resident", "operator", "admin")
@blueprint.response(200, WaitlistEntrySchema(many=True))
@blueprint.paginate()
def list_entries(pagination_parameters: PaginationParameters) -> Any:
    """Entries, newest first; a resident sees the household's own."""
    wanted = {"household": current().household_id} | _page(pagination_parameters)
    pagination_parameters.item_count, page = waiting.entries(
        db.session(), wanted, clock.now(), settings().zone
    )
    return page


@blueprint.delete("/waitlist/<int:entry_id>")
@requires("resident", "operator", "admin")
@blueprint.response(200, WaitlistEntrySchema)
def withdraw(entry_id: int) -> dict[str, Any]:
    """Wait no longer."""
    household, now, zone = current().household_id, clock.now(), settings().zone
    return atomic(waiting.withdraw, entry_id, household, now, zone)


@blueprint.get("/lots/<string:code>/draws")
@requires()
@blueprint.response(200, DrawSchema(many=True))
@blueprint.paginate()
def list_draws(code: str, pagination_parameters: PaginationParameters) -> Any:
    """Every draw between households that had used a lot equally, with its seed, newest first.

    Anybody can repeat it: see docs/fairness.md.
    """
    session, page = db.session(), _page(pagination_parameters)
    lot_id = lots.lot_by_code(session, code).id
    pagination_parameters.item_count, found = fairness.draws(
        session, lot_id, current().household_id, **page
    )
    return found


@blueprint.get("/lots/<string:code>/fairness")
@requires()
@blueprint.arguments(MonthSchema, location="query")
@blueprint.response(200, FairnessSchema)
def show_fairness(asked: dict[str, str | None], code: str) -> dict[str, Any]:
    """Minutes every household booked and stayed in a month (this one, if not given), unnamed."""
    session, now, zone = db.session(), clock.now(), settings().zone
    month = asked["month"] or f"{now.astimezone(zone):%Y-%m}"
    lot_id = lots.lot_by_code(session, code).id
    span = fairness.month_named(month, zone)
    households = fairness.shares(session, lot_id, span, now, current().household_id)
    return {"lot": code, "month": month, "households": households}


def _page(pagination: PaginationParameters) -> dict[str, int]:
    return {"limit": pagination.page_size, "offset": pagination.first_item}
