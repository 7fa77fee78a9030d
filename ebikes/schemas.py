"""Racks, e-bikes and chargings as JSON."""

import marshmallow as ma
from marshmallow import fields, validate

from core.http import Schema
from parking.schemas import CODE, ID, FeeSchema

NAME = validate.Length(1, 64)


class GroupSchema(Schema):
    """Spots side by side that fire rules count together: at most 25 e-bikes (安徽 guide)."""

    code = fields.String(required=True, validate=CODE)
    capacity = fields.Integer(required=True, strict=True, validate=validate.Range(1, 25))
    spots = fields.Integer(dump_only=True)
    taken_now = fields.Integer(dump_only=True)


class FurnishSchema(Schema):
    """How spaces are set up; what is absent stays as it is."""

    codes = fields.List(
        fields.String(validate=CODE), required=True, validate=validate.Length(1, 1000)
    )
    group = fields.String(allow_none=True, validate=CODE)
    compartment = fields.String(allow_none=True, validate=NAME)
    charging = fields.Boolean(truthy={True}, falsy={False})

    @ma.validates_schema
    def something_changes(self, data: dict[str, object], **_: object) -> None:
        """Refuse a change of nothing."""
        if set(data) == {"codes"}:
            raise ma.ValidationError("name what changes")


class EbikeSchema(Schema):
    """A household's e-bike: known by a card, or by its own plate."""

    id = fields.Integer(dump_only=True)
    tag = fields.String(validate=validate.Length(1, 64))
    plate = fields.String(validate=validate.Length(1, 32))
    household_id = fields.Integer(required=True, strict=True, validate=ID)

    @ma.validates_schema
    def one_of_both(self, data: dict[str, object], **_: object) -> None:
        """Refuse both and neither."""
        if ("tag" in data) == ("plate" in data):
            raise ma.ValidationError("send a tag or a plate")


class ChargingFilterSchema(Schema):
    """Which chargings to list."""

    stay_id = fields.Integer(load_default=None, validate=ID)


class ChargingSchema(ma.Schema):
    """Electricity one e-bike took at one spot, with its two prices."""

    id = fields.Integer()
    stay_id = fields.Integer()
    lot = fields.String()
    spot = fields.String()
    plate = fields.String()
    started_at = fields.AwareDateTime()
    ended_at = fields.AwareDateTime(allow_none=True)
    energy_wh = fields.Integer(allow_none=True)
    seconds = fields.Integer(allow_none=True)
    stop_reason = fields.String(allow_none=True)
    charge_id = fields.Integer(allow_none=True)
    fee = fields.Nested(FeeSchema)
