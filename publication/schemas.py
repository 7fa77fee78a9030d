"""The JSON of periods, publications, corrections, the fund and receipts."""

from marshmallow import fields, validate

from core.http import Instant, Schema
from ledger.schemas import FilterSchema, Hash
from reports.schemas import PostingSchema

REASON = validate.Length(min=1, max=200)
MONTH = validate.Regexp(r"20[0-9]{2}-(0[1-9]|1[0-2])\Z", error="a month like 2026-11")


class MaybeReasonSchema(Schema):
    """One's word, and perhaps a reason."""

    reason = fields.String(validate=REASON)


class WithReasonSchema(Schema):
    """One's word, with its reason."""

    reason = fields.String(required=True, validate=REASON)


class PeriodEventSchema(Schema):
    """What somebody did to a month."""

    kind = fields.String()
    by = fields.String(metadata={"description": "a person's name"})
    reason = fields.String(allow_none=True)
    recorded_at = Instant()


class BlockerSchema(Schema):
    """One reason why a month cannot close."""

    reason = fields.String()
    count = fields.Integer()
    look_at = fields.String()


class BookMonthSchema(Schema):
    """会计期间."""

    month = fields.Date(format="%Y-%m")
    status = fields.String()
    editions = fields.Integer(metadata={"description": "how often it was published"})
    events = fields.List(fields.Nested(PeriodEventSchema))


class OneBookMonthSchema(BookMonthSchema):
    """会计期间, with all that keeps it from closing now, but the proof."""

    blockers = fields.List(fields.Nested(BlockerSchema))


class ReversedSchema(Schema):
    """The entries that were taken back, and those that do it."""

    entries = fields.List(fields.Integer())
    reversals = fields.List(fields.Integer())


class BeforeAfterSchema(Schema):
    """What a month moved on an account, with the sign of its normal side."""

    book = fields.String()
    account = fields.String()
    name_zh = fields.String()
    name_en = fields.String()
    before_fen = fields.Integer()
    after_fen = fields.Integer()


class CorrectionNoteFilterSchema(FilterSchema):
    """Which notes."""

    month = fields.String(validate=MONTH)
    status = fields.String(validate=validate.OneOf(["draft", "published"]))


class CorrectionNoteSchema(Schema):
    """更正说明, as those who keep the books see it."""

    id = fields.Integer()
    month = fields.Date(format="%Y-%m")
    status = fields.String()
    about = fields.String()
    reason = fields.String(allow_none=True)
    figures = fields.List(fields.Nested(BeforeAfterSchema))
    entries = fields.List(fields.Integer())
    reversed_by = fields.String(allow_none=True)
    drafted_at = Instant()
    published_by = fields.String(allow_none=True)
    published_at = Instant(allow_none=True)


class PublishedNoteSchema(Schema):
    """更正说明, as everybody reads it."""

    number = fields.Integer()
    edition = fields.Integer()
    about = fields.String()
    reason = fields.String()
    figures = fields.List(fields.Nested(BeforeAfterSchema))
    entries = fields.List(fields.Integer())
    published_on = fields.String()
    approved_by = fields.String()


class ComparedSchema(Schema):
    """What a month moved on an account, as published and as known now; debit positive."""

    book = fields.String()
    account = fields.String()
    name_zh = fields.String()
    name_en = fields.String()
    published_fen = fields.Integer()
    known_fen = fields.Integer()


class BetweenSchema(Schema):
    """An entry that changed a month after it was published, and the note that says so."""

    entry = fields.Integer()
    book = fields.String()
    source = fields.String()
    purpose = fields.String()
    occurred_on = fields.Date()
    posted_on = fields.Date()
    recorded_at = Instant()
    reverses_id = fields.Integer(allow_none=True)
    memo = fields.String()
    correction = fields.Integer()
    reason = fields.String(allow_none=True)
    published_at = Instant(allow_none=True)
    postings = fields.List(fields.Nested(PostingSchema))


class KnownSchema(Schema):
    """As published, as known now."""

    month = fields.String()
    edition = fields.Integer()
    accounts = fields.List(fields.Nested(ComparedSchema))
    between = fields.List(fields.Nested(BetweenSchema))


class EditionFilterSchema(FilterSchema):
    """Which edition; the newest if not given."""

    edition = fields.Integer(validate=validate.Range(min=1, max=10_000))


class EditionSchema(Schema):
    """One edition of a month."""

    month = fields.Date(format="%Y-%m")
    edition = fields.Integer()
    published_on = fields.String()
    objections_until = fields.String()
    sha256 = Hash(metadata={"description": "of the pack"})
    last_entry = fields.Integer()
    corrected = fields.Boolean(metadata={"description": "whether a note corrects it"})
    pack_url = fields.String()
    page_url = fields.String()


class PublicationSchema(EditionSchema):
    """公示: the newest edition with its figures, the earlier ones, and what corrects them."""

    figures = fields.Dict(metadata={"description": "figures.json of the pack"})
    earlier = fields.List(fields.Nested(EditionSchema))
    corrections = fields.List(fields.Nested(PublishedNoteSchema))


class FundLineSchema(Schema):
    """An income's source or a programme."""

    account = fields.String()
    name = fields.String()
    name_en = fields.String()
    source = fields.String(allow_none=True, metadata={"description": "of income from charges"})
    amount_fen = fields.Integer()


class FundMonthSchema(Schema):
    """A month of the fund."""

    month = fields.String()
    income_fen = fields.Integer()
    expense_fen = fields.Integer()
    balance_fen = fields.Integer(metadata={"description": "at its end, or now"})
    income = fields.List(fields.Nested(FundLineSchema))
    expense = fields.List(fields.Nested(FundLineSchema))


class FundYearSchema(Schema):
    """How far the year is."""

    year = fields.Integer()
    income_fen = fields.Integer()
    target_fen = fields.Integer()
    reached_permille = fields.Integer()


class FundSchema(Schema):
    """社区微基金."""

    balance_fen = fields.Integer()
    income = fields.List(fields.Nested(FundLineSchema))
    expense = fields.List(fields.Nested(FundLineSchema))
    year = fields.Nested(FundYearSchema)
    months = fields.List(fields.Nested(FundMonthSchema))


class ReceiptShareSchema(Schema):
    """Who got how much of a charge."""

    fund_fen = fields.Integer()
    provider_fen = fields.Integer()
    owner_fen = fields.Integer()


class ReceiptChargeSchema(Schema):
    """What was owed."""

    number = fields.Integer()
    what = fields.String()
    income = fields.String()
    amount_fen = fields.Integer()
    occurred_at = Instant()
    split = fields.Nested(ReceiptShareSchema)
    rules = fields.List(fields.Dict())


class ReceiptProofSchema(Schema):
    """An entry, in its canonical form or by its leaf, and its way to a head of its book."""

    entry = fields.Integer()
    book = fields.String()
    source = fields.String()
    reversed = fields.Boolean()
    form = fields.String(allow_none=True)
    published = fields.Boolean(metadata={"description": "whether the head is a published one"})
    chained = fields.Dict(allow_none=True)


class PaymentReceiptSchema(Schema):
    """收据: nothing here names who paid; docs/receipts.md tells how it is checked."""

    number = fields.Integer()
    amount_fen = fields.Integer()
    method = fields.String()
    method_name = fields.String()
    paid_at = Instant()
    charges = fields.List(fields.Nested(ReceiptChargeSchema))
    publication = fields.Dict(allow_none=True)
    proofs = fields.List(fields.Nested(ReceiptProofSchema))
