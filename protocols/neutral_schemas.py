"""The contract's JSON, as devices send it and are answered."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from core.http import Instant, Schema
from parking import plates

BATCH = 500

LOCKER_EVENTS = (
    "locker.delivery_requested",
    "locker.delivery_cancelled",
    "locker.parcel_deposited",
    "locker.pickup_requested",
    "locker.parcel_collected",
    "locker.parcel_refused",
    "locker.reclaim_requested",
    "locker.parcel_reclaimed",
    "locker.door_left_open",
    "locker.door_closed",
    "locker.door_fault",
)

MOST_ENERGY_WH, MOST_SECONDS = 10**9, 10**8
"""Beyond this a charger's reading is no number; what no e-bike can take is a smaller matter."""


class EventSchema(Schema):
    """One event of a device."""

    event_id = fields.String(required=True, validate=validate.Length(1, 128))
    type = fields.String(
        required=True,
        validate=validate.OneOf(
            [
                "gate.request",
                "dock.connected",
                "dock.released",
                "dock.charging_ended",
                "device.heartbeat",
                *LOCKER_EVENTS,
            ]
        ),
    )
    occurred_at = Instant(required=True)
    data = fields.Dict(keys=fields.String(), load_default=dict)


class GateRequestSchema(Schema):
    """`data` of a gate.request."""

    plate = fields.String(required=True, validate=validate.Length(max=32))
    plate_color = fields.String(load_default="unknown", validate=validate.OneOf(plates.COLORS))
    confidence = fields.Float(validate=validate.Range(0, 1))
    replayed = fields.Boolean(load_default=False, truthy={True}, falsy={False})


class DockSchema(Schema):
    """`data` of dock.connected and dock.released: the spot, and a card or a plate."""

    spot = fields.String(required=True, validate=validate.Length(1, 32))
    tag = fields.String(validate=validate.Length(max=64))
    plate = fields.String(validate=validate.Length(max=32))
    replayed = fields.Boolean(load_default=False, truthy={True}, falsy={False})


class StopReason(fields.String):
    """Why charging stopped, in the maker's words or by its number."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        said = str(value) if type(value) is int else value
        return super()._deserialize(said, attr, data, **kwargs)


class ChargingEndedSchema(Schema):
    """`data` of dock.charging_ended: what the charger measured."""

    spot = fields.String(required=True, validate=validate.Length(1, 32))
    energy_wh = fields.Integer(
        required=True, strict=True, validate=validate.Range(0, MOST_ENERGY_WH)
    )
    seconds = fields.Integer(required=True, strict=True, validate=validate.Range(0, MOST_SECONDS))
    stop_reason = StopReason(required=True, validate=validate.Length(1, 64))
    replayed = fields.Boolean(load_default=False, truthy={True}, falsy={False})


class ReceiptSchema(ma.Schema):
    """What a device is told."""

    event_id = fields.String()
    duplicate = fields.Boolean()
    recorded_at = fields.AwareDateTime()
    decision = fields.Dict(allow_none=True)


class BatchSchema(ma.Schema):
    """Up to 500 events, each judged by itself."""

    class Meta:
        unknown = ma.RAISE

    events = fields.List(
        fields.Raw(allow_none=True), required=True, validate=validate.Length(1, BATCH)
    )


class ResultsSchema(ma.Schema):
    """A receipt or a problem for each event, in order."""

    results = fields.List(fields.Dict())
