"""Courier companies, couriers, rates, contracts and statements as JSON."""

from datetime import date
from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from core.http import Instant, Schema
from core.logs import mask
from couriers.models import CODE, COMMISSION, KINDS, RENT, SIZES, Courier
from identity.models import PHONE

LARGEST_FEN = 10**12
LARGEST_FEE_FEN = 1_000_000
LARGEST_COUNT = 10**9
LONGEST_CSV = 10_000

COMPANY_CODE = validate.Regexp(CODE, error="1 to 32 of a-z, 0-9 and -")
COURIER_CODE = validate.Length(1, 64)
NAME = validate.Length(1, 64)
DATE = validate.Range(date(2000, 1, 1), date(2099, 12, 31))


class Fen(fields.Integer):
    """Whole fen, not negative."""

    def __init__(self, most: int = LARGEST_FEN, *, least: int = 0, **more: Any) -> None:
        super().__init__(strict=True, validate=validate.Range(least, most), **more)


class CompanyPatchSchema(Schema):
    """What may change about a company; what is absent stays."""

    name = fields.String(validate=NAME)
    credit_fen = Fen(metadata={"description": "how far unpaid deposit fees may exceed the balance"})
    active = fields.Boolean(truthy={True}, falsy={False})


class NewCompanySchema(CompanyPatchSchema):
    """A new courier company."""

    class Meta(CompanyPatchSchema.Meta):
        exclude = ("active",)

    code = fields.String(required=True, validate=COMPANY_CODE)
    name = fields.String(required=True, validate=NAME)


class CompanySchema(Schema):
    """A courier company, what it has prepaid, and what it owes for deposits and contracts."""

    code = fields.String(attribute="CourierCompany.code")
    name = fields.String(attribute="CourierCompany.name")
    party = fields.String(
        attribute="CourierCompany.party", metadata={"description": "its name in the ledger"}
    )
    credit_fen = fields.Integer(attribute="CourierCompany.credit_fen")
    active = fields.Boolean(attribute="CourierCompany.active")
    balance_fen = fields.Integer()
    owed_fen = fields.Integer()


class CompanyTopUpSchema(Schema):
    """Cash of a company, and the balance it left."""

    id = fields.Integer(dump_only=True)
    company = fields.String(dump_only=True)
    amount_fen = Fen(10_000_000, least=1, required=True)
    balance_fen = fields.Integer(dump_only=True)
    occurred_at = Instant(dump_only=True)


class RateSchema(Schema):
    """What a deposit of one size costs from a day on; without a company, everybody's."""

    id = fields.Integer(dump_only=True)
    company = fields.String(attribute="company.code", dump_only=True, dump_default=None)
    size = fields.String(required=True, validate=validate.OneOf(SIZES))
    fee_fen = Fen(LARGEST_FEE_FEN, required=True)
    valid_from = fields.Date(
        validate=DATE, metadata={"description": "its first day; today unless given"}
    )
    recorded_at = Instant(dump_only=True)


class CourierPatchSchema(Schema):
    """What may change about a courier; what is absent stays."""

    name = fields.String(allow_none=True, validate=NAME)
    phone = fields.String(
        allow_none=True, validate=validate.Regexp(PHONE, error="a mobile number of 11 digits")
    )
    company = fields.String(allow_none=True, validate=COMPANY_CODE)
    username = fields.String(
        allow_none=True,
        validate=validate.Length(1, 64),
        metadata={"description": "of the person with the role courier as whom they sign in"},
    )
    active = fields.Boolean(truthy={True}, falsy={False})


class NewCourierSchema(CourierPatchSchema):
    """A courier whom no cabinet has named yet."""

    code = fields.String(required=True, validate=COURIER_CODE)


class CourierFilterSchema(Schema):
    """Which couriers to list."""

    company = fields.String(validate=COMPANY_CODE)
    known = fields.Boolean(metadata={"description": "false: seen at a cabinet, of no company"})
    code = fields.String(validate=COURIER_CODE)


class CourierSchema(Schema):
    """A courier as an administrator sees them."""

    id = fields.Integer()
    code = fields.String(metadata={"description": "what cabinets call them"})
    name = fields.String(allow_none=True)
    phone: fields.Field[Any] = fields.String(allow_none=True)
    company = fields.String(attribute="company.code", dump_default=None)
    username = fields.String(attribute="person.username", dump_default=None)
    active = fields.Boolean()


class MaskedCourierSchema(CourierSchema):
    """A courier as operators see them."""

    phone = fields.Method("masked_phone")
    code = fields.Method("masked_code")  # type: ignore[assignment]  # some are called by phone

    def masked_code(self, courier: Courier) -> str:
        """The code; some couriers are called by their phone."""
        return mask(courier.code)

    def masked_phone(self, courier: Courier) -> str | None:
        """The phone without its middle."""
        return courier.phone and mask(courier.phone)


class ContractSchema(Schema):
    """What a company pays for its lockers or deposits here: rent by the year, or commission."""

    id = fields.Integer(dump_only=True)
    company = fields.String(required=True, validate=COMPANY_CODE)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    cabinet = fields.String(
        allow_none=True,
        validate=validate.Length(1, 64),
        metadata={"description": "its code; null: wherever the company deposits"},
    )
    annual_fen = Fen(least=1, allow_none=True, metadata={"description": "rent for 12 months"})
    per_deposit_fen = Fen(LARGEST_FEE_FEN, allow_none=True)
    share_bp = fields.Integer(
        strict=True,
        allow_none=True,
        validate=validate.Range(0, 10_000),
        metadata={"description": "of the deposit fees charged, in 1/10000"},
    )
    starts_on = fields.Date(required=True, validate=DATE)
    ends_on = fields.Date(
        allow_none=True, validate=DATE, metadata={"description": "the last day; null: no end"}
    )
    decided_by = fields.String(required=True, validate=validate.Length(1, 256))
    recorded_at = Instant(dump_only=True)

    @validates_schema
    def _prices_fit(self, data: dict[str, Any], **_: Any) -> None:
        rent = data.get("annual_fen") is not None
        for name in ("per_deposit_fen", "share_bp"):
            if data["kind"] == RENT and data.get(name) is not None:
                raise ValidationError("rent has annual_fen alone", name)
        if rent != (data["kind"] == RENT):
            raise ValidationError("goes with rent, and with rent only", "annual_fen")
        prices = {data.get("per_deposit_fen"), data.get("share_bp")}
        if data["kind"] == COMMISSION and prices == {None}:
            raise ValidationError("name per_deposit_fen, share_bp or both", "per_deposit_fen")

    @validates_schema
    def _ends_later(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("ends_on") and data["ends_on"] < data["starts_on"]:
            raise ValidationError("must not lie before the first day", "ends_on")


class ContractFilterSchema(Schema):
    """Which contracts to list."""

    company = fields.String(validate=COMPANY_CODE)


class ContractEndSchema(Schema):
    """The last day of a contract."""

    ends_on = fields.Date(required=True, validate=DATE)


class AccrualSchema(Schema):
    """What a contract earned in a month."""

    id = fields.Integer()
    month = fields.Date(format="%Y-%m")
    amount_fen = fields.Integer()
    lines = fields.List(fields.Dict())
    recorded_at = Instant()


class SizeSaidSchema(Schema):
    """What a company's own statement says about one size."""

    size = fields.String(required=True, validate=validate.OneOf(SIZES))
    deposits = fields.Integer(required=True, strict=True, validate=validate.Range(0, LARGEST_COUNT))
    fees_fen = Fen(required=True)


class NewStatementSchema(Schema):
    """A company's own statement of a month: as rows, or as CSV with the same columns."""

    rows = fields.List(fields.Nested(SizeSaidSchema), validate=validate.Length(1, len(SIZES)))
    csv = fields.String(
        validate=validate.Length(1, LONGEST_CSV),
        metadata={"description": "size,deposits,fees_fen"},
    )

    @validates_schema
    def _one_of_both(self, data: dict[str, Any], **_: Any) -> None:
        if len(data) != 1:
            raise ValidationError("send either rows or csv", "rows")


class SizeComparedSchema(SizeSaidSchema):
    """One size as the company says, and as counted and charged here."""

    counted = fields.Integer()
    charged_fen = fields.Integer()


class TheirStatementSchema(Schema):
    """A company's own statement beside ours."""

    id = fields.Integer()
    agrees = fields.Boolean()
    sizes = fields.List(fields.Nested(SizeComparedSchema))
    recorded_at = Instant()


class SizeCountedSchema(Schema):
    """The deposits of one size, at the rate of their day and as charged."""

    size = fields.String()
    deposits = fields.Integer()
    counted_fen = fields.Integer()
    charged_fen = fields.Integer()


class DifferenceSchema(Schema):
    """Why what was charged is not what was counted."""

    why = fields.String(
        metadata={
            "description": "no-parcel, corrected, of-another-month, not-charged, at-another-rate"
        }
    )
    parcels = fields.Integer()
    fen = fields.Integer()


class StatementSchema(Schema):
    """A company's month: deposits, fees, payments, balances, and what it says itself."""

    company = fields.String()
    month = fields.String()
    sizes = fields.List(fields.Nested(SizeCountedSchema))
    deposits = fields.Integer()
    counted_fen = fields.Integer()
    charged_fen = fields.Integer()
    difference_fen = fields.Integer(metadata={"description": "counted less charged"})
    differences = fields.List(fields.Nested(DifferenceSchema))
    accrued_fen = fields.Integer(metadata={"description": "by contracts of rent and commission"})
    opening_balance_fen = fields.Integer()
    top_ups_fen = fields.Integer()
    paid_from_balance_fen = fields.Integer()
    paid_in_cash_fen = fields.Integer()
    closing_balance_fen = fields.Integer()
    owed_fen = fields.Integer(metadata={"description": "unpaid at the end of the month"})
    theirs = fields.Nested(TheirStatementSchema, allow_none=True)
