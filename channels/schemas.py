"""The JSON of payment orders and of reconciliation."""

from datetime import timedelta
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from channels.bank_bill import Columns
from channels.imports import KINDS
from core.http import Instant, Schema
from ledger.schemas import DATE, LARGEST_TOP_UP_FEN, FilterSchema

NAME = validate.Length(min=1, max=32)
LONGEST = timedelta(days=400)

ORDER_STATUSES = ["created", "pending", "paid", "closed", "refunding", "refunded", "failed"]


class NewOrderSchema(Schema):
    """Fill the household's balance through WeChat."""

    amount_fen = fields.Integer(
        required=True, strict=True, validate=validate.Range(min=1, max=LARGEST_TOP_UP_FEN)
    )
    openid = fields.String(validate=validate.Length(min=1, max=128))


class OrderFilterSchema(FilterSchema):
    """Which orders."""

    status = fields.String(validate=validate.OneOf(ORDER_STATUSES))


class OrderSchema(Schema):
    """What a provider collects for us; `code_url` is null until it said so."""

    id = fields.Integer()
    out_trade_no = fields.String()
    status = fields.String(validate=validate.OneOf(ORDER_STATUSES))
    method = fields.String()
    amount_fen = fields.Integer()
    source = fields.String(allow_none=True, metadata={"description": "null: a balance"})
    source_id = fields.Integer(allow_none=True)
    description = fields.String()
    code_url = fields.String(allow_none=True)
    expires_at = Instant()
    paid_at = Instant(allow_none=True)
    payment_id = fields.Integer(allow_none=True)
    top_up_id = fields.Integer(allow_none=True)


class PayableOrderSchema(OrderSchema):
    """An order with what the app that pays has to be called with, if it is one for that."""

    invocation = fields.Dict(keys=fields.String(), values=fields.String(), allow_none=True)


class ThanksSchema(Schema):
    """What WeChat wants to hear."""

    code = fields.String()
    message = fields.String()


class ColumnsSchema(Schema):
    """What a bank calls the columns of its statement."""

    date = fields.String(load_default=Columns.date, validate=NAME)
    income = fields.String(load_default=Columns.income, validate=NAME)
    expense = fields.String(load_default=Columns.expense, validate=NAME)
    reference = fields.String(load_default=Columns.reference, validate=NAME)
    counterparty = fields.String(load_default=Columns.counterparty, validate=NAME)
    memo = fields.String(load_default=Columns.memo, validate=NAME)


class NewImportSchema(Schema):
    """A bill: its text, or its bytes in base64 (GBK travels only so)."""

    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    content = fields.String(required=True, validate=validate.Length(min=1))
    filename = fields.String(required=True, validate=validate.Length(min=1, max=128))
    since = fields.Date(
        data_key="from",
        validate=DATE,
        metadata={"description": "the first day it covers, if the file does not say so"},
    )
    until = fields.Date(data_key="to", validate=DATE)
    columns = fields.Nested(ColumnsSchema, metadata={"description": "of a bank's statement"})

    @validates_schema
    def _both_days(self, data: dict[str, Any], **_: Any) -> None:
        if ("since" in data) != ("until" in data):
            raise ValidationError("give both days or neither", "from")
        if "since" in data and data["since"] > data["until"]:
            raise ValidationError("lies before the first day", "to")


class ImportSchema(Schema):
    """What became of a bill."""

    id = fields.Integer()
    kind = fields.String(attribute="channel")
    filename = fields.String()
    sha256 = fields.String()
    covers_from = fields.Date()
    covers_to = fields.Date()
    lines = fields.Integer()
    new_lines = fields.Integer()
    open_differences = fields.Integer()


class TaskFilterSchema(FilterSchema):
    """Which tasks; both dates are included."""

    status = fields.String(validate=validate.OneOf(["open", "resolved"]))
    channel = fields.String(validate=validate.OneOf(KINDS))
    since = fields.Date(data_key="from", validate=DATE)
    until = fields.Date(data_key="to", validate=DATE)


class TaskSchema(Schema):
    """差异."""

    id = fields.Integer()
    kind = fields.String(metadata={"description": "missing_here, missing_there, amount_differs"})
    channel = fields.String()
    type = fields.String()
    reference = fields.String()
    on_day = fields.Date()
    ours_fen = fields.Integer(allow_none=True)
    theirs_fen = fields.Integer(allow_none=True)
    status = fields.String()
    reason = fields.String(allow_none=True)
    resolved_by = fields.Integer(
        allow_none=True, metadata={"description": "null: it came right by itself"}
    )
    resolved_at = Instant(allow_none=True)


class ExplanationSchema(Schema):
    """Why a difference is in order."""

    reason = fields.String(required=True, validate=validate.Length(min=1, max=256))


class DaysSchema(FilterSchema):
    """Which days; both are included."""

    since = fields.Date(required=True, data_key="from", validate=DATE)
    until = fields.Date(required=True, data_key="to", validate=DATE)

    @validates_schema
    def _in_order(self, data: dict[str, Any], **_: Any) -> None:
        if not timedelta(0) <= data["until"] - data["since"] <= LONGEST:
            raise ValidationError("must follow the first day within 400 days", "to")


class SideBySideSchema(Schema):
    """One day of one channel."""

    day = fields.Date()
    channel = fields.String()
    imported = fields.Boolean(metadata={"description": "whether a bill covers the day"})
    our_payments = fields.Integer()
    our_payments_fen = fields.Integer()
    our_refunds = fields.Integer()
    our_refunds_fen = fields.Integer()
    their_payments = fields.Integer(metadata={"description": "of a bank: all its lines"})
    their_payments_fen = fields.Integer()
    their_refunds = fields.Integer()
    their_refunds_fen = fields.Integer()
    fees_fen = fields.Integer()
    matched = fields.Integer()
    differences = fields.Integer()
    open_differences = fields.Integer()
