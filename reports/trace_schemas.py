"""The JSON of a trace: what happened, the rows and papers of it, its entries and reports."""

from marshmallow import fields

from channels.schemas import OrderSchema
from core.http import Instant, Schema
from ledger.schemas import ChargeSchema, PaymentSchema
from reports.schemas import EntrySchema


class TracedTopUpSchema(Schema):
    """Money left with us against later fees."""

    id = fields.Integer()
    method = fields.String()
    amount_fen = fields.Integer()
    household_id = fields.Integer(allow_none=True)
    company = fields.String(allow_none=True)
    occurred_at = Instant()
    settled_at = Instant(allow_none=True)


class MoveSchema(Schema):
    """Money at a provider that is no payment and no top-up."""

    id = fields.Integer()
    kind = fields.String()
    channel = fields.String()
    reference = fields.String()
    amount_fen = fields.Integer()
    occurred_at = Instant()
    settled_at = Instant(allow_none=True)


class BillLineSchema(Schema):
    """What a provider's bill or the bank's statement says of it."""

    id = fields.Integer()
    import_id = fields.Integer()
    channel = fields.String()
    type = fields.String()
    external_id = fields.String()
    reference = fields.String()
    amount_fen = fields.Integer()
    fee_fen = fields.Integer()
    on_day = fields.Date()
    verdict = fields.String(allow_none=True)


class InReportsSchema(Schema):
    """A month of a book in whose reports the entries are."""

    book = fields.String()
    month = fields.Date(format="%Y-%m")
    statement = fields.String()
    trial_balance = fields.String()
    export = fields.String()


class CauseSchema(Schema):
    """What it is all about; `url` where that can be read, null for what has no page."""

    source = fields.String()
    source_id = fields.Integer()
    url = fields.String(allow_none=True)


class TraceSchema(Schema):
    """All that belongs together, from what happened to the reports."""

    cause = fields.Nested(CauseSchema, allow_none=True)
    charges = fields.List(fields.Nested(ChargeSchema))
    payments = fields.List(fields.Nested(PaymentSchema))
    top_ups = fields.List(fields.Nested(TracedTopUpSchema))
    orders = fields.List(fields.Nested(OrderSchema))
    moves = fields.List(fields.Nested(MoveSchema))
    bill_lines = fields.List(fields.Nested(BillLineSchema))
    entries = fields.List(fields.Nested(EntrySchema))
    reports = fields.List(fields.Nested(InReportsSchema))
