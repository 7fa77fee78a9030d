"""The JSON of fees made smaller, given back, grown old, and written off."""

from marshmallow import fields, validate

from core.http import Instant, Schema
from ledger.schemas import DATE, ID, ChargeSchema, FilterSchema

REASON = validate.Length(min=1, max=256)
LARGEST_FEN = 10**13
FEN = validate.Range(min=1, max=LARGEST_FEN)


def reason() -> fields.String:
    """Why; never left out."""
    return fields.String(required=True, validate=REASON)


class NewCreditSchema(Schema):
    """Take back what is unpaid of a fee, or so much of it."""

    charge_id = fields.Integer(required=True, strict=True, validate=ID)
    amount_fen = fields.Integer(
        strict=True, validate=FEN, metadata={"description": "all that is unpaid if not given"}
    )
    reason = reason()


class CreditSchema(Schema):
    """减免: a credit charge, why it was raised and by whom."""

    charge = fields.Nested(ChargeSchema, attribute="Charge")
    reason = fields.String(attribute="Credit.reason")
    raised_by = fields.Integer(
        attribute="Credit.raised_by",
        allow_none=True,
        metadata={"description": "a person; null: a rule of write-offs"},
    )
    fee_refund_id = fields.Integer(attribute="Credit.fee_refund_id", allow_none=True)
    write_off_id = fields.Integer(attribute="Credit.write_off_id", allow_none=True)


class NewRefundSchema(NewCreditSchema):
    """Give back what was paid for a fee, or so much of it."""

    method = fields.String(required=True, validate=validate.OneOf(["cash", "balance", "wechat"]))


class RefundSchema(Schema):
    """退费."""

    id = fields.Integer()
    source = fields.String()
    source_id = fields.Integer()
    method = fields.String()
    amount_fen = fields.Integer()
    household_id = fields.Integer(allow_none=True)
    company = fields.String(allow_none=True)
    paid_out_by = fields.Integer(allow_none=True)
    payment_id = fields.Integer(allow_none=True)
    reason = fields.String()
    asked_by = fields.Integer()
    occurred_at = Instant()
    settled_at = Instant(allow_none=True)


class AgeingFilterSchema(FilterSchema):
    """The day, today if not given; `by=party` lists who owes."""

    as_of = fields.Date(validate=DATE)
    by = fields.String(validate=validate.OneOf(["party"]))


class BucketsSchema(Schema):
    """What is unpaid, by the days since the fee."""

    receivables = fields.Integer()
    upto_30_fen = fields.Integer()
    upto_60_fen = fields.Integer()
    upto_90_fen = fields.Integer()
    upto_180_fen = fields.Integer()
    older_fen = fields.Integer()
    total_fen = fields.Integer()


class PartysBucketsSchema(BucketsSchema):
    """What one party has not paid."""

    party = fields.String(allow_none=True, metadata={"description": "null: nobody known"})


class AgeingSchema(Schema):
    """账龄分析; the books' balance of the account stands beside its total."""

    as_of = fields.Date()
    total = fields.Nested(BucketsSchema)
    parties = fields.List(fields.Nested(PartysBucketsSchema))
    books_fen = fields.Integer(metadata={"description": "of account 1121 that day"})
    difference_fen = fields.Integer(metadata={"description": "not settled yet, or reversed"})


class WriteOffRuleSchema(Schema):
    """From a day on, what is older and smaller is written off; 0 fen: nothing is."""

    id = fields.Integer(dump_only=True)
    valid_from = fields.Date(required=True, validate=DATE)
    older_than_days = fields.Integer(
        required=True, strict=True, validate=validate.Range(min=30, max=36500)
    )
    at_most_fen = fields.Integer(
        required=True, strict=True, validate=validate.Range(min=0, max=LARGEST_FEN)
    )
    decided_by = fields.String(required=True, validate=REASON)
    recorded_by = fields.Integer(dump_only=True)
    recorded_at = Instant(dump_only=True)


class NewWriteOffSchema(Schema):
    """Propose to give up what is unpaid of a fee."""

    charge_id = fields.Integer(required=True, strict=True, validate=ID)
    reason = reason()


class WriteOffSchema(Schema):
    """核销."""

    id = fields.Integer()
    source = fields.String()
    source_id = fields.Integer()
    amount_fen = fields.Integer()
    reason = fields.String()
    rule_id = fields.Integer(allow_none=True)
    status = fields.String()
    drafted_by = fields.Integer(allow_none=True)
    drafted_at = Instant()
    decided_by = fields.Integer(allow_none=True)
    decided_at = Instant(allow_none=True)


class WriteOffFilterSchema(FilterSchema):
    """Which write-offs."""

    status = fields.String(validate=validate.OneOf(["drafted", "approved", "rejected"]))


class NothingSchema(Schema):
    """A step that needs nothing more said."""
