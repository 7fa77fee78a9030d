"""The JSON of payment orders and of reconciliation."""

from marshmallow import fields, validate

from core.http import Instant, Schema
from ledger.schemas import LARGEST_TOP_UP_FEN, FilterSchema

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
