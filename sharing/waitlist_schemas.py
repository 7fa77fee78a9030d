"""Availability, the waitlist, its fairness and what another tariff would mean, as JSON."""

import marshmallow as ma
from marshmallow import fields, validate

from core.http import Instant, Schema
from parking.plates import COLORS
from parking.schemas import CODE, PLATE
from sharing.booking_schemas import PreferencesSchema

MONTH = validate.Regexp(r"\A20[0-9]{2}-(0[1-9]|1[0-2])\Z", error="Must be a month like 2026-10.")


class SpanSchema(Schema):
    """A time for which somebody asks."""

    starts_at = Instant(required=True)
    ends_at = Instant(required=True)


class AvailabilitySchema(ma.Schema):
    """How much of a lot could be booked."""

    lot = fields.String()
    starts_at = fields.AwareDateTime()
    ends_at = fields.AwareDateTime()
    total = fields.Integer(metadata={"description": "spaces in service"})
    bookable = fields.Integer()


class WaitlistEntrySchema(Schema):
    """Somebody who wants what is full; `place` is the number in the queue while waiting."""

    id = fields.Integer(dump_only=True)
    status = fields.String(dump_only=True)
    place = fields.Integer(dump_only=True, allow_none=True)
    booking_id = fields.Integer(dump_only=True, allow_none=True)
    lot = fields.String(required=True, validate=CODE)
    starts_at = Instant(required=True)
    ends_at = Instant(required=True)
    plate = fields.String(required=True, validate=PLATE)
    plate_color = fields.String(load_default="unknown", validate=validate.OneOf(COLORS))
    preferences = fields.Nested(PreferencesSchema, load_default=dict)
    recorded_at = fields.AwareDateTime(dump_only=True)


class MonthSchema(Schema):
    """A calendar month of the community."""

    month = fields.String(load_default=None, validate=MONTH)


class DrawnSchema(ma.Schema):
    """One entry of a draw, in the order in which it was served."""

    entry = fields.Integer()
    household = fields.String(metadata={"description": "the number of its first entry"})
    minutes = fields.Integer(metadata={"description": "booked and stayed this month"})
    booked = fields.Boolean()
    own = fields.Boolean()


class DrawSchema(ma.Schema):
    """In which order a contested lot was given out, and the seed that decided between equals."""

    drawn_at = fields.AwareDateTime()
    seed = fields.String()
    order = fields.List(fields.Nested(DrawnSchema))


class ShareSchema(ma.Schema):
    """What one household used."""

    household = fields.String()
    minutes = fields.Integer()
    own = fields.Boolean()


class FairnessSchema(ma.Schema):
    """What households used of a lot in a month."""

    lot = fields.String()
    month = fields.String()
    households = fields.List(fields.Nested(ShareSchema))


class WhatIfSchema(Schema):
    """Which month to price again, and by which rules."""

    month = fields.String(load_default=None, validate=MONTH)
    rules = fields.Dict(keys=fields.String(), load_default=None, allow_none=True)


class SideSchema(ma.Schema):
    """Stays whose price would change one way, and by how much in all."""

    stays = fields.Integer()
    fen = fields.Integer()


class HouseholdDifferenceSchema(ma.Schema):
    """What a month would have cost one household more (or, negative, less)."""

    household = fields.String(metadata={"description": "a label without a name"})
    stays = fields.Integer()
    difference_fen = fields.Integer()


class ComparisonSchema(ma.Schema):
    """A month's real stays priced by the rules they had and by the proposed ones."""

    lot = fields.String()
    month = fields.String()
    stays = fields.Integer()
    actual_fen = fields.Integer()
    proposed_fen = fields.Integer()
    difference_fen = fields.Integer()
    pay_more = fields.Nested(SideSchema)
    pay_less = fields.Nested(SideSchema)
    same = fields.Integer()
    households = fields.List(fields.Nested(HouseholdDifferenceSchema))
    by_hour = fields.List(fields.Integer(), metadata={"description": "fen, by the entry's hour"})
    by_weekday = fields.List(fields.Integer(), metadata={"description": "fen, Monday first"})
