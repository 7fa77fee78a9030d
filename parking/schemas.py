"""Lots, rights and stays as JSON."""

from collections.abc import Mapping

import marshmallow as ma
from marshmallow import fields, validate

from core.http import LARGEST_ID, Instant, Schema
from parking.plates import COLORS
from tariffs.ceilings import exceeded
from tariffs.rule_parsing import parse_rules

CODE = validate.Regexp(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z")
ID = validate.Range(1, LARGEST_ID)
PLATE = validate.Length(1, 32)


def over_ceiling(rules: Mapping[str, object]) -> list[dict[str, object]]:
    """The legal ceilings that these rules can exceed; market prices may, and it is shown."""
    if not rules.get("ceilings"):
        return []
    names = ("vehicle_class", "period", "dearest_fen", "ceiling_fen")
    return [dict(zip(names, found, strict=True)) for found in exceeded(parse_rules(rules))]


class LotSchema(Schema):
    """A garage or rack."""

    code = fields.String(required=True, validate=CODE)
    name = fields.String(required=True, validate=validate.Length(1, 64))
    kind = fields.String(required=True, validate=validate.OneOf(["car", "ebike"]))
    takes_walk_ins = fields.Boolean(load_default=True, load_only=True)
    capacity = fields.Integer(dump_only=True)
    free_now = fields.Integer(dump_only=True)


class SpacesSchema(Schema):
    """New spaces of a lot; with a household they are that household's own."""

    codes = fields.List(
        fields.String(validate=CODE), required=True, validate=validate.Length(1, 1000)
    )
    owner_household_id = fields.Integer(
        load_default=None, allow_none=True, strict=True, validate=ID
    )


class LaneSchema(Schema):
    """A way in or out."""

    code = fields.String(required=True, validate=CODE)
    name = fields.String(required=True, validate=validate.Length(1, 64))
    direction = fields.String(required=True, validate=validate.OneOf(["entry", "exit"]))


class TariffSchema(Schema):
    """One version of a lot's price rules."""

    id = fields.Integer(dump_only=True)
    version = fields.Integer(dump_only=True)
    valid_from = Instant(load_default=None)
    rules = fields.Dict(keys=fields.String(), required=True)
    over_ceiling = fields.Function(
        lambda tariff: over_ceiling(tariff.rules),
        dump_only=True,
        metadata={"description": "where the dearest price is above what the law allows"},
    )


class VehicleSchema(Schema):
    """A household's vehicle."""

    id = fields.Integer(dump_only=True)
    plate = fields.String(required=True, validate=PLATE)
    plate_color = fields.String(load_default="unknown", validate=validate.OneOf(COLORS))
    household_id = fields.Integer(required=True, strict=True, validate=ID)


class BlockSchema(Schema):
    """Why a plate must not come in."""

    reason = fields.String(required=True, validate=validate.Length(1, 200))


class BlockedPlateSchema(ma.Schema):
    """A plate that must not come in."""

    plate = fields.String()
    reason = fields.String()
    recorded_at = fields.AwareDateTime()


class SuggestionSchema(ma.Schema):
    """A vehicle that a misread plate may be; the stay, if it is inside."""

    plate = fields.String()
    plate_color = fields.String()
    stay_id = fields.Integer(allow_none=True)


class StayFilterSchema(Schema):
    """Which stays to list."""

    plate = fields.String(load_default=None, validate=PLATE)
    status = fields.String(
        load_default=None,
        validate=validate.OneOf(["open", "closed", "entry-missing", "exit-missing"]),
    )


class CloseSchema(Schema):
    """How a stay ended that no camera saw end."""

    exited_at = Instant(load_default=None)
    reason = fields.String(required=True, validate=validate.Length(1, 200))


class FeeSchema(ma.Schema):
    """What a stay costs and why."""

    total_fen = fields.Integer()
    due_fen = fields.Integer()
    lines = fields.List(fields.Dict())


class StaySchema(ma.Schema):
    """Observed entry to exit."""

    id = fields.Integer()
    plate = fields.String()
    plate_color = fields.String()
    lot = fields.String()
    space = fields.String(allow_none=True)
    booking_id = fields.Integer(allow_none=True)
    right = fields.String()
    entered_at = fields.AwareDateTime(allow_none=True)
    exited_at = fields.AwareDateTime(allow_none=True)
    status = fields.String()
    fee = fields.Nested(FeeSchema, allow_none=True)
    paid_fen = fields.Integer()
    credited_fen = fields.Integer(metadata={"description": "of the fee, what was taken back"})
    chargings = fields.List(fields.Dict())
