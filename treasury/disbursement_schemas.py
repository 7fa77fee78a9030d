"""The JSON of disbursements, their evidence, and owners' statements."""

import re
from datetime import date
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from core.http import Instant, Schema
from ledger.accounts import FUND, OWNERS
from ledger.schemas import FilterSchema, Hash
from treasury.models import (
    BANK,
    CASH,
    CASH_DEPOSIT,
    EXPENSE,
    FUND_SHARE,
    MEDIA_TYPES,
    PAYOUT,
    PROVIDER_SHARE,
)
from treasury.schemas import FEN, reason

KINDS = [PAYOUT, FUND_SHARE, PROVIDER_SHARE, EXPENSE, CASH_DEPOSIT]
TEXT = validate.Length(min=1, max=128)
REFERENCE = validate.Length(min=1, max=64)
MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])", re.ASCII)


class Month(fields.Field[date]):
    """A month like 2026-10, as its first day."""

    def _serialize(self, value: date | None, *_: Any, **__: Any) -> str | None:
        return None if value is None else f"{value:%Y-%m}"

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> date:
        if not (isinstance(value, str) and MONTH.fullmatch(value)):
            raise ValidationError("a month like 2026-10")
        return date.fromisoformat(f"{value}-01")


class NewExpenseSchema(Schema):
    """An expense of the fund, or of the owners' money."""

    book = fields.String(required=True, validate=validate.OneOf([FUND, OWNERS]))
    programme = fields.String(
        required=True,
        validate=validate.Length(min=1, max=16),
        metadata={"description": "an expense account of the book"},
    )
    restricted = fields.Boolean(
        load_default=False,
        metadata={"description": "paid from what was given for this programme only"},
    )
    amount_fen = fields.Integer(required=True, strict=True, validate=FEN)
    payee = fields.String(required=True, validate=TEXT)
    memo = fields.String(
        required=True, validate=TEXT, metadata={"description": "goes into the books: no names"}
    )


class NewPayoutsSchema(Schema):
    """Draft what a finished month left to owners, from a minimum on."""

    month = Month(required=True)
    minimum_fen = fields.Integer(load_default=1, strict=True, validate=FEN)


class NewShareSchema(Schema):
    """Pass on what is owed to the fund or the provider; all of it if no amount is given."""

    kind = fields.String(required=True, validate=validate.OneOf([FUND_SHARE, PROVIDER_SHARE]))
    amount_fen = fields.Integer(strict=True, validate=FEN)


class NewDepositSchema(Schema):
    """Bring cash of a book to its bank, as it was counted."""

    book = fields.String(required=True, validate=validate.OneOf([FUND, OWNERS]))
    amount_fen = fields.Integer(required=True, strict=True, validate=FEN)


class RejectionSchema(Schema):
    """Why it is not paid."""

    reason = reason()


class PaidSchema(Schema):
    """How it left: through the bank, by its reference, or out of the cash box."""

    method = fields.String(load_default=BANK, validate=validate.OneOf([BANK, CASH]))
    bank_reference = fields.String(validate=REFERENCE)
    paid_at = Instant(metadata={"description": "now if not given"})

    @validates_schema
    def _reference_of_bank(self, data: dict[str, Any], **_: Any) -> None:
        if (data["method"] == BANK) != ("bank_reference" in data):
            raise ValidationError("belongs to a bank's payment, and to each", "bank_reference")


class DisbursementSchema(Schema):
    """付款单."""

    id = fields.Integer()
    kind = fields.String(validate=validate.OneOf(KINDS))
    book = fields.String()
    month = Month(allow_none=True)
    party = fields.String(allow_none=True)
    programme = fields.String(allow_none=True)
    restricted = fields.Boolean()
    amount_fen = fields.Integer()
    payee = fields.String()
    memo = fields.String()
    status = fields.String()
    drafted_by = fields.Integer()
    drafted_at = Instant()
    approved_by = fields.Integer(allow_none=True)
    approved_at = Instant(allow_none=True)
    rejected_by = fields.Integer(allow_none=True)
    rejected_at = Instant(allow_none=True)
    rejection = fields.String(allow_none=True)
    paid_by = fields.Integer(allow_none=True)
    paid_at = Instant(allow_none=True)
    recorded_at = Instant(
        allow_none=True, metadata={"description": "when somebody said that it was paid"}
    )
    method = fields.String(allow_none=True)
    bank_reference = fields.String(allow_none=True)
    settled_at = Instant(allow_none=True)


class DraftedSchema(Schema):
    """The drafts that were made."""

    drafted = fields.List(fields.Nested(DisbursementSchema))


class DisbursementFilterSchema(FilterSchema):
    """Which disbursements."""

    kind = fields.String(validate=validate.OneOf(KINDS))
    status = fields.String(
        validate=validate.OneOf(["drafted", "approved", "rejected", "paid"]),
    )


class NewEvidenceSchema(Schema):
    """A file in base64, of at most 5 MB."""

    filename = fields.String(required=True, validate=TEXT)
    media_type = fields.String(required=True, validate=validate.OneOf(MEDIA_TYPES))
    content = fields.String(required=True, validate=validate.Length(min=1))


class EvidenceSchema(Schema):
    """凭据, without its content."""

    id = fields.Integer()
    disbursement_id = fields.Integer()
    filename = fields.String()
    media_type = fields.String()
    sha256 = Hash()
    attached_by = fields.Integer()
    recorded_at = Instant()


class OwnerStatementSchema(Schema):
    """业主对账单: opening + earned - paid out = closing."""

    month = fields.String()
    household_id = fields.Integer()
    household = fields.String()
    opening_fen = fields.Integer()
    gross_fen = fields.Integer()
    fund_fen = fields.Integer()
    provider_fen = fields.Integer()
    earned_fen = fields.Integer()
    paid_out_fen = fields.Integer()
    closing_fen = fields.Integer()


class OwnerLineSchema(Schema):
    """One fee, correction or payout; who parked is nobody's business."""

    entry_id = fields.Integer()
    occurred_on = fields.Date()
    memo = fields.String()
    source = fields.String()
    source_id = fields.Integer()
    gross_fen = fields.Integer()
    fund_fen = fields.Integer()
    provider_fen = fields.Integer()
    owner_fen = fields.Integer(metadata={"description": "negative: paid out or taken back"})


class WholeOwnerStatementSchema(OwnerStatementSchema):
    """业主对账单 with its lines."""

    lines = fields.List(fields.Nested(OwnerLineSchema))
