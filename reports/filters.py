"""The JSON of what may be asked of reports."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from core.http import Instant
from ledger.accounts import FUND
from ledger.schemas import BOOK, DATE, ID, FilterSchema
from reports.exports import MEDIA_TYPES

SOURCE = validate.Regexp(
    r"[a-z][a-z_-]{0,31}(:[0-9]{1,18})?\Z", error="a kind like charge, or one cause like stay:5"
)
CAUSE = validate.Regexp(r"[a-z][a-z_-]{0,31}:[0-9]{1,18}\Z", error="one cause like parcel:5")
ACCOUNT = validate.Length(min=1, max=16)
PARTY = validate.Length(min=1, max=64)
MOST_YEARS = 10
KNOWN = {"description": "only what was recorded by this instant"}


class AsOfSchema(FilterSchema):
    """A day, today if not given; a book, all if not given; an instant of knowledge, now if not."""

    as_of = fields.Date(validate=DATE)
    book = fields.String(validate=BOOK)
    known_at = Instant(metadata=KNOWN)


class PeriodSchema(FilterSchema):
    """Days, both included: `to` today and `from` the first of its year, if not given."""

    since = fields.Date(data_key="from", validate=DATE)
    until = fields.Date(data_key="to", validate=DATE)

    @validates_schema
    def _in_order(self, data: dict[str, Any], **_: Any) -> None:
        if "since" not in data or "until" not in data:
            return
        if data["since"] > data["until"]:
            raise ValidationError("lies before the first day", "to")
        if data["until"].year - data["since"].year > MOST_YEARS:
            raise ValidationError(f"must follow the first day within {MOST_YEARS} years", "to")


class BookPeriodSchema(PeriodSchema):
    """Days of one book, or of all if not given."""

    book = fields.String(validate=BOOK)
    known_at = Instant(metadata=KNOWN)


class ActivityFilterSchema(BookPeriodSchema):
    """Days, and how to divide them."""

    by = fields.String(load_default="month", validate=validate.OneOf(["month"]))


class YearSchema(FilterSchema):
    """A year, the present one if not given, of the micro-fund if no book is given."""

    year = fields.Integer(validate=validate.Range(min=2001, max=2099))
    book = fields.String(load_default=FUND, validate=BOOK)
    known_at = Instant(metadata=KNOWN)


class ExportFilterSchema(FilterSchema):
    """Days, both included: from the first entry to today, if not given; and the kind of file."""

    since = fields.Date(data_key="from", validate=DATE)
    until = fields.Date(data_key="to", validate=DATE)
    form = fields.String(
        data_key="format", required=True, validate=validate.OneOf(list(MEDIA_TYPES))
    )
    book = fields.String(validate=BOOK)

    @validates_schema
    def _in_order(self, data: dict[str, Any], **_: Any) -> None:
        if "since" in data and "until" in data and data["since"] > data["until"]:
            raise ValidationError("lies before the first day", "to")


class EntryFilterSchema(FilterSchema):
    """Which entries; both dates are included, and are those of posting."""

    since = fields.Date(data_key="from", validate=DATE)
    until = fields.Date(data_key="to", validate=DATE)
    account = fields.String(validate=ACCOUNT)
    party = fields.String(validate=PARTY)
    source = fields.String(validate=SOURCE)
    book = fields.String(validate=BOOK)
    known_at = Instant(metadata=KNOWN)
    against = fields.String(
        validate=validate.Regexp(r"[0-9]{1,16}\Z", error="how the code of an account begins"),
        metadata={"description": "how the code of another account of the entry begins"},
    )


class AccountFilterSchema(PeriodSchema):
    """Days of an account, and of one party in it."""

    party = fields.String(validate=PARTY)


class PartyFilterSchema(PeriodSchema):
    """Days of a party, and of one account."""

    account = fields.String(validate=ACCOUNT)


class TraceFilterSchema(FilterSchema):
    """One thing to follow: an entry, a charge, a payment, a stay, or another cause."""

    entry = fields.Integer(validate=ID)
    charge = fields.Integer(validate=ID)
    payment = fields.Integer(validate=ID)
    stay = fields.Integer(validate=ID)
    source = fields.String(validate=CAUSE)

    @validates_schema
    def _one_thing(self, data: dict[str, Any], **_: Any) -> None:
        if len(data) != 1:
            raise ValidationError("name exactly one thing", "entry")
