"""Routes: what booking asks of people, what it costs, and bookings themselves."""

from typing import Any

from flask import Response
from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters

from core import clock
from core.app import settings
from core.db import Connection, atomic, db, driver
from core.errors import invalid
from core.idempotency import ONCE, swiftly_once
from identity.auth import current, requires
from parking import lots, plates
from sharing import booked, booking_changes, booking_terms, bookings, quotes
from sharing.booking_facts import NewBooking
from sharing.booking_schemas import (
    BookingFilterSchema,
    BookingSchema,
    BookingTermsSchema,
    ChangeSchema,
    NewBookingSchema,
    NewQuoteSchema,
    QuoteSchema,
)
from sharing.models import BookingTerms

blueprint = Blueprint("bookings", __name__, url_prefix="/api/v1", description="预约 · bookings")

BOOKERS = ("resident", "operator", "admin")
READERS = (*BOOKERS, "finance", "auditor")
BOOKING = BookingSchema()


@blueprint.get("/lots/<string:code>/booking-terms")
@requires()
@blueprint.response(200, BookingTermsSchema(many=True))
def list_terms(code: str) -> Any:
    """Every version of a lot's booking terms, newest first."""
    return booking_terms.versions(db.session(), lots.lot_by_code(db.session(), code))


@blueprint.post("/lots/<string:code>/booking-terms")
@requires("admin", "finance")
@blueprint.arguments(BookingTermsSchema)
@blueprint.response(201, BookingTermsSchema)
def add_terms(new: dict[str, Any], code: str) -> BookingTerms:
    """The next version of the terms, from `valid_from` (now, if not given); never for the past."""
    now = clock.now()
    valid_from = new["valid_from"] or now
    if valid_from < now:
        raise invalid("valid_from", "must not lie in the past")
    return atomic(
        lambda session: booking_terms.add_terms(
            session, lots.lot_by_code(session, code), new["rules"], valid_from
        )
    )


@blueprint.post("/quotes")
@requires(*BOOKERS)
@blueprint.arguments(NewQuoteSchema)
@blueprint.response(200, QuoteSchema)
def quote(wanted: dict[str, Any]) -> dict[str, Any]:
    """Price a stay, line by line, and promise the price for 15 minutes."""
    person, now, zone = current().id, clock.now(), settings().zone
    return atomic(
        lambda session: quotes.quote(
            driver(session), **wanted, person_id=person, now=now, zone=zone
        )
    )


@blueprint.post("/bookings")
@requires(*BOOKERS)
@blueprint.doc(parameters=ONCE)
@blueprint.arguments(NewBookingSchema)
@blueprint.response(201, BookingSchema)
def book(body: dict[str, Any]) -> Response:
    """Book a space; residents book for their vehicles and for visitors, staff for anybody.

    A full lot answers 409 `no-space-free` with `alternatives`.
    """
    who, now, zone = current(), clock.now(), settings().zone
    resident = who.household_id is not None
    if resident and body["household_id"] not in (None, who.household_id):
        raise invalid("household_id", "must be your own, or left out")
    household = who.household_id if resident else body["household_id"]
    own = {"household_id": household, "person_id": who.id, "for_anybody": not resident}
    new = NewBooking(**body | own)

    def effect(connection: Connection) -> dict[str, Any]:
        return _json(bookings.book_or_suggest(connection, new, now, zone))

    return swiftly_once(f"person:{who.id}", body, 201, effect)


@blueprint.get("/bookings")
@requires(*READERS)
@blueprint.arguments(BookingFilterSchema, location="query", unknown=None)
@blueprint.response(200, BookingSchema(many=True))
@blueprint.paginate()
def list_bookings(wanted: dict[str, Any], pagination_parameters: PaginationParameters) -> Any:
    """Bookings, newest first; a resident sees the household's own."""
    matching = wanted | {
        "plate": plates.normalise(wanted["plate"]) if wanted["plate"] else None,
        "household": current().household_id,
        "limit": pagination_parameters.page_size,
        "offset": pagination_parameters.first_item,
    }
    connection = driver(db.session())
    pagination_parameters.item_count, page = booked.bookings(connection, matching, clock.now())
    return page


@blueprint.get("/bookings/<int:booking_id>")
@requires(*READERS)
@blueprint.response(200, BookingSchema)
def show_booking(booking_id: int) -> dict[str, Any]:
    """One booking, with what its terms come to and the lines of its price."""
    now, zone = clock.now(), settings().zone
    household = current().household_id
    return booked.booking(driver(db.session()), booking_id, household, now=now, zone=zone)


@blueprint.patch("/bookings/<int:booking_id>")
@requires(*BOOKERS)
@blueprint.arguments(ChangeSchema)
@blueprint.response(200, BookingSchema)
def change_booking(body: dict[str, Any], booking_id: int) -> dict[str, Any]:
    """Extend or shorten a booking; priced anew by its own tariff and terms."""
    return atomic(
        booking_changes.change_end,
        booking_id,
        body["ends_at"],
        household_id=current().household_id,
        now=clock.now(),
        zone=settings().zone,
    )


@blueprint.delete("/bookings/<int:booking_id>")
@requires(*BOOKERS)
@blueprint.response(200, BookingSchema)
def cancel_booking(booking_id: int) -> dict[str, Any]:
    """Cancel a booking for which nobody has come; `fee_fen` is what that costs."""
    return atomic(
        booking_changes.cancel,
        booking_id,
        household_id=current().household_id,
        now=clock.now(),
        zone=settings().zone,
    )


def _json(made: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = BOOKING.dump(made)
    return told
