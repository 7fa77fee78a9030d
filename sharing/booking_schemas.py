"""Quotes, bookings and booking terms as JSON."""

import marshmallow as ma
from marshmallow import fields, validate

from core.http import Instant, Schema
from ledger.schemas import FilterSchema
from parking.plates import COLORS
from parking.schemas import CODE, ID, PLATE

STATUSES = ("confirmed", "checked_in", "fulfilled", "cancelled", "no_show")


class BookingTermsSchema(Schema):
    """One version of a lot's booking terms."""

    id = fields.Integer(dump_only=True)
    version = fields.Integer(dump_only=True)
    valid_from = Instant(load_default=None)
    rules = fields.Dict(keys=fields.String(), required=True)


class NewQuoteSchema(Schema):
    """What to price."""

    lot = fields.String(required=True, validate=CODE)
    starts_at = Instant(required=True)
    ends_at = Instant(required=True)
    plate = fields.String(load_default=None, validate=PLATE)


class QuoteSchema(ma.Schema):
    """A price promised until it expires."""

    quote_id = fields.Integer()
    lot = fields.String()
    starts_at = fields.AwareDateTime()
    ends_at = fields.AwareDateTime()
    total_fen = fields.Integer()
    lines = fields.List(fields.Dict())
    expires_at = fields.AwareDateTime()


class PreferencesSchema(Schema):
    """What a vehicle needs (a charger, an accessible space) and what would be liked."""

    charging = fields.Boolean(truthy={True}, falsy={False})
    accessible = fields.Boolean(truthy={True}, falsy={False})
    near = fields.String(validate=validate.Length(1, 32))
    prefer = fields.String(validate=validate.OneOf(["community", "private"]))


class NewBookingSchema(Schema):
    """A booking about to be made; staff may name the household it is for."""

    lot = fields.String(required=True, validate=CODE)
    starts_at = Instant(required=True)
    ends_at = Instant(required=True)
    plate = fields.String(required=True, validate=PLATE)
    plate_color = fields.String(load_default="unknown", validate=validate.OneOf(COLORS))
    quote_id = fields.Integer(load_default=None, strict=True, validate=ID)
    household_id = fields.Integer(load_default=None, strict=True, validate=ID)
    preferences = fields.Nested(PreferencesSchema, load_default=dict)


class ChangeSchema(Schema):
    """When a booking ends instead."""

    ends_at = Instant(required=True)


class BookingFilterSchema(FilterSchema):
    """Which bookings to list; a booking matches a time that it touches."""

    status = fields.String(load_default=None, validate=validate.OneOf(STATUSES))
    lot = fields.String(load_default=None, validate=CODE)
    plate = fields.String(load_default=None, validate=PLATE)
    since = Instant(load_default=None, data_key="from")
    until = Instant(load_default=None, data_key="to")


class OwnTermsSchema(ma.Schema):
    """What the terms come to for one booking."""

    free_cancellation_until = fields.AwareDateTime()
    cancel_fee_fen = fields.Integer(
        allow_none=True, metadata={"description": "what cancelling now would cost"}
    )
    no_show_fee_fen = fields.Integer()
    hold_until = fields.AwareDateTime(
        metadata={"description": "how long the space is held for who does not come"}
    )
    early_minutes = fields.Integer()
    late_minutes = fields.Integer()


class BookingSchema(ma.Schema):
    """One right of one plate to one space for one time."""

    id = fields.Integer()
    kind = fields.String()
    status = fields.String(validate=validate.OneOf(STATUSES))
    lot = fields.String()
    space = fields.String()
    plate = fields.String()
    plate_color = fields.String()
    starts_at = fields.AwareDateTime()
    ends_at = fields.AwareDateTime()
    total_fen = fields.Integer()
    quote_id = fields.Integer(allow_none=True)
    household_id = fields.Integer(allow_none=True)
    preferences = fields.Nested(PreferencesSchema)
    booked_at = fields.AwareDateTime()
    ended_at = fields.AwareDateTime(allow_none=True)
    ended_reason = fields.String(allow_none=True)
    fee_fen = fields.Integer(metadata={"description": "charged for cancelling or not coming"})
    paid_fen = fields.Integer(metadata={"description": "of fee_fen"})
    terms = fields.Nested(OwnTermsSchema)
    lines = fields.List(fields.Dict(), metadata={"description": "of total_fen; one booking only"})
