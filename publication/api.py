"""Routes for everybody, without a login: publications, the fund, receipts."""

from typing import Any

from flask import Response, jsonify, request
from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters
from sqlalchemy import select

from core.db import db
from core.limits import limiter
from core.paging import page_of
from ledger import periods
from publication import corrections, fund, page, publishing, receipts, telling
from publication.figures import edition
from publication.models import Publication
from publication.periods_api import books
from publication.schemas import (
    EditionFilterSchema,
    EditionSchema,
    FundSchema,
    PaymentReceiptSchema,
    PublicationSchema,
)

public = Blueprint(
    "publication", __name__, url_prefix="/api/v1", description="公示 · for everybody"
)
blueprints = [books, public]

OFTEN, SELDOM = "120/minute", "30/minute"
"""From one address; seldom is what reads all entries of a month."""

FRESH_SECONDS = 60
SHUT_IN = "default-src 'none'; style-src 'unsafe-inline'"


@public.get("/publications")
@limiter.limit(OFTEN)
@public.response(200, EditionSchema(many=True))
@public.paginate()
def list_publications(pagination_parameters: PaginationParameters) -> list[dict[str, Any]]:
    """Every edition of every month, the newest first."""
    query = select(Publication).order_by(Publication.month.desc(), Publication.edition.desc())
    return [_edition(row) for row in page_of(query, pagination_parameters)]


@public.get("/publications/<string:month>")
@limiter.limit(SELDOM)
@public.response(200, PublicationSchema)
def show_publication(month: str) -> Response:
    """A month: its newest edition with the figures, the earlier ones, and what corrects them."""
    first = periods.month_of(month).first
    newest = publishing.of_month(db.session(), first)
    told = _edition(newest) | {
        "figures": edition(db.session(), newest).figures,
        "earlier": [_edition(row) for row in publishing.editions(db.session(), first)[1:]],
        "corrections": corrections.published(db.session(), first),
    }
    return _cacheable(jsonify(PublicationSchema().dump(told)))


@public.get("/publications/<string:month>/pack.zip")
@limiter.limit(SELDOM)
@public.arguments(EditionFilterSchema, location="query", unknown=None)
@public.response(200, {"type": "string", "format": "binary"}, content_type="application/zip")
def fetch_pack(wanted: dict[str, int], month: str) -> Response:
    """The pack of an edition, the newest unless one is named; made anew, the same bytes."""
    row = publishing.of_month(db.session(), periods.month_of(month).first, wanted.get("edition"))
    answer = Response(mimetype="application/zip")
    answer.set_etag(row.sha256.hex())
    if row.sha256.hex() not in request.if_none_match:
        answer.set_data(publishing.rebuilt(db.session(), row))
    name = f"huilin-{row.month:%Y-%m}-{row.edition}.zip"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return _cacheable(answer)


@public.get("/publications/<string:month>/page")
@limiter.limit(SELDOM)
@public.arguments(EditionFilterSchema, location="query", unknown=None)
@public.response(200, {"type": "string"}, content_type="text/html")
def show_page(wanted: dict[str, int], month: str) -> Response:
    """The page of an edition, with every note that corrects the month since."""
    first = periods.month_of(month).first
    row = publishing.of_month(db.session(), first, wanted.get("edition"))
    figures = edition(db.session(), row).figures
    text = page.page(figures, corrections.published(db.session(), first))
    answer = Response(text, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = SHUT_IN
    return _cacheable(answer)


@public.get("/fund")
@limiter.limit(OFTEN)
@public.response(200, FundSchema)
def show_fund() -> Response:
    """The micro-fund: income by source, spending and balance by month, and the year's target."""
    return _cacheable(jsonify(FundSchema().dump(fund.fund(db.session()))))


@public.get("/receipts/<string:receipt>")
@limiter.limit(OFTEN)
@public.response(200, PaymentReceiptSchema)
def show_receipt(receipt: str) -> Response:
    """What a receipt's link shows: the payment, its split, the proof that it is in the books."""
    answer = jsonify(PaymentReceiptSchema().dump(receipts.receipt(db.session(), receipt)))
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["X-Robots-Tag"] = "noindex"
    return _cacheable(answer, public_too=False)


def _edition(row: Publication) -> dict[str, Any]:
    notes = corrections.corrections(row.month, drafts=False)
    corrected = any(note.publication_id == row.id for note in db.session.scalars(notes))
    return telling.edition(row, corrected=corrected)


def _cacheable(answer: Response, *, public_too: bool = True) -> Response:
    """With its ETag, and 304 for whoever has it already; kept for a minute, by anybody or alone."""
    answer.add_etag()
    answer.cache_control.max_age = FRESH_SECONDS
    if public_too:
        answer.cache_control.public = True
    else:
        answer.cache_control.private = True
    answer.make_conditional(request)
    return answer
