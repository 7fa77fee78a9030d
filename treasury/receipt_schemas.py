"""The JSON of what the fund receives, and of vouchers."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from core.http import Instant, Schema
from ledger.schemas import DATE, ID, FilterSchema
from treasury.disbursement_schemas import REFERENCE, TEXT
from treasury.models import BANK, CASH
from treasury.receipt_models import (
    BUSINESS,
    DONATION,
    DONATION_RECEIPT,
    INVOICE,
    NO_VOUCHER,
    SERVICE,
)
from treasury.schemas import FEN, REASON

KINDS = [DONATION, BUSINESS, SERVICE]
TAX_ID = validate.Regexp(r"[0-9A-Z]{15,20}\Z", error="15 to 20 of 0-9 and A-Z")
NUMBER = validate.Regexp(r"[0-9A-Za-z-]{1,32}\Z", error="1 to 32 of 0-9, A-Z, a-z and -")


class NewFundReceiptSchema(Schema):
    """What the fund was given, or earned by a low-fee service."""

    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    payer = fields.String(required=True, validate=TEXT)
    household = fields.String(
        load_default=None,
        validate=validate.Length(min=1, max=32),
        metadata={"description": "the code of the household that gave it, if one did"},
    )
    amount_fen = fields.Integer(required=True, strict=True, validate=FEN)
    restricted = fields.Boolean(load_default=False)
    programme = fields.String(
        validate=validate.Length(min=1, max=16), metadata={"description": "what it is given for"}
    )
    in_return = fields.String(
        validate=REASON, metadata={"description": "what the payer gets for it; absent: a gift"}
    )
    memo = fields.String(
        required=True, validate=TEXT, metadata={"description": "goes into the books: no names"}
    )
    method = fields.String(required=True, validate=validate.OneOf([CASH, BANK]))
    bank_reference = fields.String(validate=REFERENCE)
    voucher_kind = fields.String(
        load_default=NO_VOUCHER,
        validate=validate.OneOf([NO_VOUCHER, DONATION_RECEIPT, INVOICE]),
    )
    received_at = Instant()

    @validates_schema
    def _fits(self, data: dict[str, Any], **_: Any) -> None:
        a_price = "in_return" in data
        if (data["method"] == BANK) != ("bank_reference" in data):
            raise ValidationError("belongs to a bank's payment, and to each", "bank_reference")
        if a_price and data["kind"] == DONATION:
            raise ValidationError("a donation is given for nothing", "in_return")
        if not a_price and data["kind"] == SERVICE:
            raise ValidationError("say which service it was", "in_return")
        if a_price and data["voucher_kind"] == DONATION_RECEIPT:
            raise ValidationError("a price never carries a donation receipt", "voucher_kind")
        if not a_price and data["voucher_kind"] == INVOICE:
            raise ValidationError("nothing was sold, so there is no invoice", "voucher_kind")
        if data["restricted"] and (data["kind"] != DONATION or "programme" not in data):
            raise ValidationError("only a donation for a programme is", "restricted")


class FundReceiptSchema(Schema):
    """收款单."""

    id = fields.Integer()
    kind = fields.String()
    payer = fields.String()
    household_id = fields.Integer(allow_none=True)
    amount_fen = fields.Integer()
    restricted = fields.Boolean()
    programme = fields.String(allow_none=True)
    in_return = fields.String(allow_none=True)
    memo = fields.String()
    method = fields.String()
    bank_reference = fields.String(allow_none=True)
    received_by = fields.Integer(allow_none=True)
    voucher_kind = fields.String()
    recorded_by = fields.Integer()
    occurred_at = Instant()
    settled_at = Instant(allow_none=True)


class FundReceiptFilterSchema(FilterSchema):
    """Which of them."""

    kind = fields.String(validate=validate.OneOf(KINDS))


class CarriedSchema(Schema):
    """The paper that what was received carries."""

    voucher_kind = fields.String()
    voucher_state = fields.String(metadata={"description": "none, due, issued, red-lettered"})
    voucher_number = fields.String(allow_none=True)
    voucher_seller_tax_id = fields.String(allow_none=True)
    voucher_red_letter_of_id = fields.Integer(allow_none=True)
    voucher_issued_on = fields.Date(allow_none=True)


class PrintableSchema(Schema):
    """收据, to be printed."""

    number = fields.String()
    received_on = fields.Date()
    received_from = fields.String()
    kind = fields.String()
    kind_name = fields.String()
    amount_fen = fields.Integer()
    amount_yuan = fields.String()
    amount_in_words = fields.String()
    purpose = fields.String()
    restricted = fields.Boolean()
    in_return = fields.String(allow_none=True)
    method = fields.String()
    received_by = fields.Integer(allow_none=True)
    voucher = fields.Nested(CarriedSchema)
    notice = fields.String()


class NewVoucherSchema(Schema):
    """A paper that was issued: for what the fund received, or the invoice of a paid fee."""

    fund_receipt_id = fields.Integer(strict=True, validate=ID)
    payment_id = fields.Integer(strict=True, validate=ID)
    kind = fields.String(required=True, validate=validate.OneOf([DONATION_RECEIPT, INVOICE]))
    number = fields.String(required=True, validate=NUMBER)
    seller_tax_id = fields.String(validate=TAX_ID)
    amount_fen = fields.Integer(required=True, strict=True, validate=FEN)
    issued_on = fields.Date(required=True, validate=DATE)

    @validates_schema
    def _fits(self, data: dict[str, Any], **_: Any) -> None:
        if ("fund_receipt_id" in data) == ("payment_id" in data):
            raise ValidationError("name either fund_receipt_id or payment_id", "payment_id")
        if data["kind"] == INVOICE and "seller_tax_id" not in data:
            raise ValidationError("an invoice names its seller", "seller_tax_id")


class RedLetterSchema(Schema):
    """红字: the paper that voids another."""

    number = fields.String(required=True, validate=NUMBER)
    issued_on = fields.Date(required=True, validate=DATE)


class VoucherSchema(Schema):
    """票据; a red letter is below zero and names what it voids."""

    id = fields.Integer()
    kind = fields.String()
    number = fields.String()
    seller_tax_id = fields.String(allow_none=True)
    fund_receipt_id = fields.Integer(allow_none=True)
    payment_id = fields.Integer(allow_none=True)
    amount_fen = fields.Integer()
    red_letter_of_id = fields.Integer(allow_none=True)
    issued_on = fields.Date()
    recorded_by = fields.Integer()
    recorded_at = Instant()
