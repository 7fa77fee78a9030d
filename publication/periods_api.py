"""Routes of those who keep the books: closing, reopening, taking back, correcting."""

from typing import Any

from flask import Response
from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters
from sqlalchemy.orm import Session

from core.db import atomic, db
from core.errors import not_found
from core.idempotency import ONCE, once
from core.paging import page_of
from identity.auth import current, requires
from identity.models import ADMIN, AUDITOR, FINANCE
from ledger import periods, reversals
from ledger.models import Period
from ledger.periods import Month
from publication import corrections, known, publishing, telling
from publication.schemas import (
    BookMonthSchema,
    CorrectionNoteFilterSchema,
    CorrectionNoteSchema,
    EditionFilterSchema,
    KnownSchema,
    MaybeReasonSchema,
    OneBookMonthSchema,
    ReversedSchema,
    WithReasonSchema,
)

books = Blueprint("periods", __name__, url_prefix="/api/v1/ledger", description="会计期间与更正")

READERS = (FINANCE, AUDITOR, ADMIN)
KEEPERS = (FINANCE, ADMIN)


@books.get("/periods")
@requires(*READERS)
@books.response(200, BookMonthSchema(many=True))
@books.paginate()
def list_periods(pagination_parameters: PaginationParameters) -> list[dict[str, Any]]:
    """Months, the newest first, and what was done to each."""
    return telling.periods(db.session(), page_of(periods.periods(), pagination_parameters))


@books.get("/periods/<string:month>")
@requires(*READERS)
@books.response(200, OneBookMonthSchema)
def show_period(month: str) -> dict[str, Any]:
    """A month, and what keeps it from closing now."""
    found = db.session.get(Period, (of := periods.month_of(month)).first)
    if found is None:
        raise not_found("month")
    [told] = telling.periods(db.session(), [found])
    return told | {"blockers": periods.blockers(db.session(), of)}


@books.post("/periods/<string:month>/close")
@requires(*KEEPERS)
@books.arguments(MaybeReasonSchema)
@books.response(200, BookMonthSchema)
def ask_to_close(body: dict[str, str], month: str) -> dict[str, Any]:
    """Ask to close a month; 409 with all that is in the way. Another person approves."""
    return _moved(periods.ask_to_close, month, body.get("reason"))


@books.post("/periods/<string:month>/approve")
@requires(*KEEPERS)
@books.arguments(MaybeReasonSchema)
@books.response(200, BookMonthSchema)
def close_and_publish(body: dict[str, str], month: str) -> dict[str, Any]:
    """Close a month that another person asked to close, and publish it."""
    return _moved(publishing.close_and_publish, month, body.get("reason"))


@books.post("/periods/<string:month>/withdraw")
@requires(*KEEPERS)
@books.arguments(WithReasonSchema)
@books.response(200, BookMonthSchema)
def withdraw(body: dict[str, str], month: str) -> dict[str, Any]:
    """Give up a close that was asked for."""
    return _moved(periods.withdraw, month, body["reason"])


@books.post("/periods/<string:month>/reopen")
@requires(*KEEPERS)
@books.arguments(WithReasonSchema)
@books.response(200, BookMonthSchema)
def ask_to_reopen(body: dict[str, str], month: str) -> dict[str, Any]:
    """Ask to reopen the last closed month, and say why. Another person approves."""
    return _moved(periods.ask_to_reopen, month, body["reason"])


@books.post("/periods/<string:month>/reopen/approve")
@requires(*KEEPERS)
@books.arguments(MaybeReasonSchema)
@books.response(200, BookMonthSchema)
def reopen(body: dict[str, str], month: str) -> dict[str, Any]:
    """Reopen a month that another person asked to reopen; what was published stays."""
    return _moved(periods.reopen, month, body.get("reason"))


@books.post("/periods/<string:month>/reopen/decline")
@requires(*KEEPERS)
@books.arguments(WithReasonSchema)
@books.response(200, BookMonthSchema)
def decline(body: dict[str, str], month: str) -> dict[str, Any]:
    """Leave a month closed."""
    return _moved(periods.decline, month, body["reason"])


@books.get("/periods/<string:month>/known")
@requires(*READERS)
@books.arguments(EditionFilterSchema, location="query", unknown=None)
@books.response(200, KnownSchema)
def compare(wanted: dict[str, int], month: str) -> dict[str, Any]:
    """As published, as known now, and every entry in between."""
    of = periods.month_of(month)
    edition = publishing.of_month(db.session(), of.first, wanted.get("edition"))
    return known.side_by_side(db.session(), edition)


@books.post("/entries/<int:entry_id>/reverse")
@requires(*KEEPERS)
@books.doc(parameters=ONCE)
@books.arguments(WithReasonSchema)
@books.response(201, ReversedSchema)
def reverse(body: dict[str, str], entry_id: int) -> Response:
    """Take back an entry and all others of its cause, in every book, with the reason."""
    person = current().id

    def effect(session: Session) -> dict[str, Any]:
        done = reversals.reverse(session, entry_id, body["reason"], person)
        said: dict[str, Any] = ReversedSchema().dump(done)
        return said

    return once(f"person:{person}", body, 201, effect)


@books.get("/corrections")
@requires(*READERS)
@books.arguments(CorrectionNoteFilterSchema, location="query", unknown=None)
@books.response(200, CorrectionNoteSchema(many=True))
@books.paginate()
def list_corrections(
    wanted: dict[str, str], pagination_parameters: PaginationParameters
) -> list[dict[str, Any]]:
    """Notes on published months, the newest first; those that nobody published are drafts."""
    status = wanted.get("status")
    month = periods.month_of(wanted["month"]).first if "month" in wanted else None
    query = corrections.corrections(month, drafts=status == "draft" if status else None)
    found = page_of(query, pagination_parameters)
    return [telling.correction(db.session(), note) for note in found]


@books.post("/corrections/<int:note_id>/publish")
@requires(*KEEPERS)
@books.arguments(MaybeReasonSchema)
@books.response(200, CorrectionNoteSchema)
def publish_correction(body: dict[str, str], note_id: int) -> dict[str, Any]:
    """Publish a note; another person than who reversed."""
    note = atomic(corrections.publish, note_id, current().id, body.get("reason"))
    return telling.correction(db.session(), note)


def _moved(use_case: Any, said: str, reason: str | None) -> dict[str, Any]:
    """Let a month move, and tell of it."""
    month: Month = periods.month_of(said)
    atomic(use_case, month, current().id, reason)
    return telling.periods(db.session(), [db.session.get_one(Period, month.first)])[0]
