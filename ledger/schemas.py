"""The JSON of money: charges, payments, balances, the journal and its reports."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from marshmallow import ValidationError, fields, pre_load, validate, validates_schema

from core.http import LARGEST_ID, Instant, Schema
from ledger.accounts import FUND, OWNERS, PROVIDER

ID = validate.Range(min=1, max=LARGEST_ID)
DATE = validate.Range(min=date(2000, 1, 1), max=date(2099, 12, 31))
SOURCE = validate.Regexp(
    r"[a-z][a-z_-]{0,31}(:[0-9]{1,18})?\Z", error="a kind like charge, or one cause like stay:5"
)
BOOK = validate.OneOf([OWNERS, FUND, PROVIDER])
LARGEST_TOP_UP_FEN = 10_000_000


class FilterSchema(Schema):
    """Query parameters beside those of paging; a misspelt one must not pass for no filter."""

    @pre_load
    def _leave_paging_to_others(self, data: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        return {name: data[name] for name in data if name not in {"page", "page_size"}}


class AboutSchema(FilterSchema):
    """Which charges or payments: those for one stay, one booking, or what one charge is for."""

    stay_id = fields.Integer(validate=ID)
    booking_id = fields.Integer(validate=ID)
    charge_id = fields.Integer(validate=ID)

    @validates_schema
    def _one_thing(self, data: dict[str, Any], **_: Any) -> None:
        if len(data) > 1:
            raise ValidationError("name one thing only", sorted(data)[1])


class ChargeSchema(Schema):
    """A fee or a correction of one."""

    id = fields.Integer()
    kind = fields.String()
    source = fields.String()
    source_id = fields.Integer()
    income = fields.String()
    amount_fen = fields.Integer()
    parts = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        allow_none=True,
        metadata={"description": "分 by income; null: all of it is `income`"},
    )
    corrects_id = fields.Integer(allow_none=True)
    company = fields.String(
        allow_none=True, metadata={"description": "the party code of a company that owes"}
    )
    lot = fields.String(
        allow_none=True, metadata={"description": "whose place earned it; null: no lot's"}
    )
    occurred_at = Instant()
    lines = fields.List(fields.Dict())
    settled_at = Instant(allow_none=True)
    set_aside_reason = fields.String(allow_none=True)


class NewPaymentSchema(Schema):
    """What to pay, and how."""

    stay_id = fields.Integer(strict=True, validate=ID)
    charge_id = fields.Integer(strict=True, validate=ID)
    booking_id = fields.Integer(strict=True, validate=ID)
    method = fields.String(required=True, validate=validate.OneOf(["balance", "cash", "wechat"]))
    openid = fields.String(
        validate=validate.Length(min=1, max=128),
        metadata={"description": "who pays inside WeChat; without it the answer has a QR code"},
    )

    @validates_schema
    def _one_thing(self, data: dict[str, Any], **_: Any) -> None:
        if len(data.keys() & {"stay_id", "booking_id", "charge_id"}) != 1:
            raise ValidationError("name either stay_id, booking_id or charge_id", "stay_id")
        if "openid" in data and data["method"] != "wechat":
            raise ValidationError("belongs to the method wechat", "openid")


class PaymentSchema(Schema):
    """Money received."""

    id = fields.Integer()
    status = fields.String()
    amount_fen = fields.Integer()
    method = fields.String()
    source = fields.String()
    source_id = fields.Integer()
    company = fields.String(
        allow_none=True, metadata={"description": "the party code of a company that paid"}
    )
    occurred_at = Instant()
    settled_at = Instant(allow_none=True)
    out_trade_no = fields.String(
        metadata={"description": "only of an order: ask /api/v1/payment-orders/{out_trade_no}"}
    )
    code_url = fields.String(allow_none=True)
    expires_at = Instant()


class NewTopUpSchema(Schema):
    """Cash for a resident's household."""

    username = fields.String(required=True, validate=validate.Length(min=1, max=64))
    amount_fen = fields.Integer(
        required=True, strict=True, validate=validate.Range(min=1, max=LARGEST_TOP_UP_FEN)
    )


class TopUpSchema(Schema):
    """Cash received, and the balance it left."""

    id = fields.Integer()
    username = fields.String()
    amount_fen = fields.Integer()
    balance_fen = fields.Integer()
    occurred_at = Instant()


class WhoseBalanceSchema(FilterSchema):
    """Staff name a resident; residents see their own."""

    username = fields.String(validate=validate.Length(min=1, max=64))


class BalanceSchema(Schema):
    """What a household has left."""

    household_id = fields.Integer()
    balance_fen = fields.Integer()


class AsOfSchema(FilterSchema):
    """A day, today if not given; a book, all if not given."""

    as_of = fields.Date(validate=DATE)
    book = fields.String(validate=BOOK)


class AccountBalanceSchema(Schema):
    """One account's balance, on the side it falls on."""

    book = fields.String()
    account = fields.String()
    name = fields.String()
    name_en = fields.String()
    type = fields.String()
    debit_fen = fields.Integer()
    credit_fen = fields.Integer()


class UnsettledSchema(Schema):
    """What is not in the books yet."""

    count = fields.Integer()
    amount_fen = fields.Integer()


class Hash(fields.Field[bytes]):
    """32 bytes as 64 hexadecimal digits."""

    def _serialize(self, value: bytes | None, *_: Any, **__: Any) -> str | None:
        return None if value is None else value.hex()


class DaySchema(Schema):
    """A day of a book in the hash chain; an open one as it would be sealed now."""

    book = fields.String()
    day = fields.Date()
    count = fields.Integer()
    root = Hash()
    previous = Hash()
    head = Hash()
    open = fields.Boolean()


class StepSchema(Schema):
    """The hash beside the way from a leaf to the root."""

    side = fields.String()
    hash = Hash()


class InclusionSchema(Schema):
    """Proof that an entry is in its book; docs/hash-chain.md verifies it."""

    entry_id = fields.Integer()
    position = fields.Integer()
    leaf = Hash()
    path = fields.List(fields.Nested(StepSchema))
    day = fields.Nested(DaySchema)


class TrialBalanceSchema(Schema):
    """试算平衡表."""

    as_of = fields.Date()
    book = fields.String(allow_none=True)
    rows = fields.List(fields.Nested(AccountBalanceSchema))
    total_debit_fen = fields.Integer()
    total_credit_fen = fields.Integer()
    unsettled = fields.Nested(UnsettledSchema)
    heads = fields.List(fields.Nested(DaySchema))


class EntryFilterSchema(FilterSchema):
    """Which entries; both dates are included, and are those of posting."""

    since = fields.Date(data_key="from", validate=DATE)
    until = fields.Date(data_key="to", validate=DATE)
    account = fields.String(validate=validate.Length(min=1, max=16))
    party = fields.String(validate=validate.Length(min=1, max=64))
    source = fields.String(validate=SOURCE)
    book = fields.String(validate=BOOK)


class PostingSchema(Schema):
    """分录; debit is positive. It names its split rule where the entry has several."""

    account = fields.String()
    party = fields.String(allow_none=True)
    amount_fen = fields.Integer()
    split_rule_id = fields.Integer(allow_none=True)


class EntrySchema(Schema):
    """凭证. Its hash is its leaf in its book's day; `sealed_day` is null until that is sealed."""

    id = fields.Integer(attribute="entry.id")
    book = fields.String(attribute="entry.book")
    source = fields.Function(lambda row: f"{row.entry.source}:{row.entry.source_id}")
    purpose = fields.String(attribute="entry.purpose")
    occurred_on = fields.Date(attribute="entry.occurred_on")
    posted_on = fields.Date(attribute="entry.posted_on")
    recorded_at = Instant(attribute="entry.recorded_at")
    memo = fields.String(attribute="entry.memo")
    split_rule_id = fields.Integer(attribute="entry.split_rule_id", allow_none=True)
    reverses_id = fields.Integer(attribute="entry.reverses_id", allow_none=True)
    fingerprint = Hash(attribute="entry.fingerprint")
    hash = Hash()
    sealed_day = fields.Date(attribute="leaf.day", dump_default=None)
    postings = fields.List(fields.Nested(PostingSchema))


class CheckSchema(Schema):
    """One check of the books."""

    ok = fields.Boolean()
    detail = fields.String()


class ProofSchema(Schema):
    """Whether the books prove right, check by check."""

    ok = fields.Boolean()
    checks = fields.Dict(keys=fields.String(), values=fields.Nested(CheckSchema))
