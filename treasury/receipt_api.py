"""Routes of what the micro-fund receives, and of the papers that money carries."""

from typing import Any

from flask import Response
from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters
from sqlalchemy.orm import Session

from core.app import settings
from core.db import db
from core.idempotency import ONCE, once
from core.paging import page_of
from identity.auth import current, requires
from identity.models import RESIDENT
from treasury import fund_receipts, vouchers
from treasury.fees_api import BOOKKEEPERS, DESK, READERS, dumped
from treasury.receipt_models import FundReceipt, Voucher
from treasury.receipt_schemas import (
    FundReceiptFilterSchema,
    FundReceiptSchema,
    NewFundReceiptSchema,
    NewVoucherSchema,
    PrintableSchema,
    RedLetterSchema,
    VoucherSchema,
)

blueprint = Blueprint("fund-receipts", __name__, url_prefix="/api/v1", description="收款单、票据")


@blueprint.get("/fund-receipts")
@requires(RESIDENT, *READERS)
@blueprint.arguments(FundReceiptFilterSchema, location="query", unknown=None)
@blueprint.response(200, FundReceiptSchema(many=True))
@blueprint.paginate()
def list_fund_receipts(
    wanted: dict[str, str], pagination_parameters: PaginationParameters
) -> list[FundReceipt]:
    """What the fund received, the newest first; residents see their household's."""
    mine = current().household_id
    query = fund_receipts.fund_receipts(household_id=mine, **wanted)
    return page_of(query, pagination_parameters)


@blueprint.post("/fund-receipts")
@requires(*DESK)
@blueprint.doc(parameters=ONCE)
@blueprint.arguments(NewFundReceiptSchema)
@blueprint.response(201, FundReceiptSchema)
def receive(body: dict[str, Any]) -> Response:
    """Record a donation, a business's contribution, or the price of a low-fee service."""
    who = current().id

    def effect(session: Session) -> dict[str, Any]:
        received = fund_receipts.receive(session, recorded_by=who, **body)
        return dumped(FundReceiptSchema, received)

    return once(f"person:{who}", body, 201, effect)


@blueprint.get("/fund-receipts/<int:number>/receipt")
@requires(RESIDENT, *READERS)
@blueprint.response(200, PrintableSchema)
def print_receipt(number: int) -> dict[str, Any]:
    """The receipt, to be printed; residents see their household's."""
    session = db.session()
    receipt = fund_receipts.fund_receipt(session, number, current().household_id)
    return fund_receipts.printable(session, receipt, settings().zone)


@blueprint.get("/vouchers")
@requires(*READERS)
@blueprint.response(200, VoucherSchema(many=True))
@blueprint.paginate()
def list_vouchers(pagination_parameters: PaginationParameters) -> list[Voucher]:
    """Donation receipts and invoices that were issued, the newest first."""
    return page_of(vouchers.vouchers(), pagination_parameters)


@blueprint.post("/vouchers")
@requires(*BOOKKEEPERS)
@blueprint.doc(parameters=ONCE)
@blueprint.arguments(NewVoucherSchema)
@blueprint.response(201, VoucherSchema)
def issue(body: dict[str, Any]) -> Response:
    """Note a paper that was issued."""
    who = current().id

    def effect(session: Session) -> dict[str, Any]:
        return dumped(VoucherSchema, vouchers.issue(session, recorded_by=who, **body))

    return once(f"person:{who}", body, 201, effect)


@blueprint.post("/vouchers/<int:voucher_id>/red-letter")
@requires(*BOOKKEEPERS)
@blueprint.doc(parameters=ONCE)
@blueprint.arguments(RedLetterSchema)
@blueprint.response(201, VoucherSchema)
def red_letter(body: dict[str, Any], voucher_id: int) -> Response:
    """Void a paper by its red letter."""
    who = current().id

    def effect(session: Session) -> dict[str, Any]:
        voided = vouchers.red_letter(session, voucher_id, recorded_by=who, **body)
        return dumped(VoucherSchema, voided)

    return once(f"person:{who}", body, 201, effect)
