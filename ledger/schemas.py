"""The JSON of money: charges, payments, balances, the journal and its reports."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from marshmallow import ValidationError, fields, pre_load, validate, validates_schema

from core.app import settings
from core.http import LARGEST_ID, Instant, Schema
from ledger.accounts import FUND, OWNERS, PROVIDER
from ledger.receipts import receipt_url
from ledger.source_models import Payment

ID = validate.Range(min=1, max=LARGEST_ID)
DATE = validate.Range(min=date(2000, 1, 1), max=date(2099, 12, 31))
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
    receipt_url = fields.Function(
        lambda row: _receipt_url(row),
        metadata={
            "description": "what the receipt's QR code says: whoever has it sees this payment"
            " and its proof, without a login; null for an order"
        },
    )


def _receipt_url(row: Any) -> str | None:
    if not isinstance(row, Payment):
        return None
    return receipt_url(settings().secret_key, settings().base_url, row.id)


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


class CheckSchema(Schema):
    """One check of the books."""

    ok = fields.Boolean()
    detail = fields.String()


class ProofSchema(Schema):
    """Whether the books prove right, check by check."""

    ok = fields.Boolean()
    checks = fields.Dict(keys=fields.String(), values=fields.Nested(CheckSchema))
