"""What cabinets say in the contract's JSON."""

import re
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from core.http import Schema
from lockers.allocation import SIZES
from lockers.deposits import RECIPIENT_PHONE, WAYBILL

WAYBILL_RULE = validate.Regexp(WAYBILL, error="a waybill: 1 to 64 letters and digits")
COURIER = validate.Regexp(r"\A\w(.{0,62}\S)?\Z", error="1 to 64 characters, no blanks around")
PHONE = validate.Regexp(RECIPIENT_PHONE, error="a mobile number of 11 digits")
NUMBER, MOST_NUMBER, MOST_DOORS = re.compile("[0-9]{1,6}"), 1_000_000, 1_000
SENSORS = ("empty", "occupied")


class Door(fields.Integer):
    """A compartment's number; makers send it as text, too."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        said = int(value) if isinstance(value, str) and NUMBER.fullmatch(value) else value
        if type(said) is not int or not 0 < said < MOST_NUMBER:
            raise ma.ValidationError("must be a compartment's number")
        return super()._deserialize(said, attr, data, **kwargs)


def flag() -> fields.Boolean:
    """What holds only if it is said, by JSON's own true."""
    return fields.Boolean(load_default=False, truthy={True}, falsy={False})


class DeliverySchema(Schema):
    """`data` of locker.delivery_requested.

    `consent: "asked"` says that the recipient was reached and agreed, `absent` that nobody
    opened the door.
    """

    tracking_number = fields.String(required=True, validate=WAYBILL_RULE)
    recipient_phone = fields.String(required=True, validate=PHONE)
    size = fields.String(required=True, validate=validate.OneOf(SIZES))
    courier = fields.String(required=True, validate=COURIER)
    consent = fields.String(validate=validate.OneOf(["asked"]))
    absent = flag()
    fresh = flag()
    valuable = flag()
    damaged = flag()
    low_door = flag()
    replayed = flag()


class PickupSchema(Schema):
    """`data` of locker.pickup_requested."""

    phone_tail = fields.String(
        required=True, validate=validate.Regexp(r"\A[0-9]{4}\Z", error="4 digits")
    )
    code = fields.String(required=True, validate=validate.Length(1, 16))
    replayed = flag()


class HandledSchema(Schema):
    """`data` of what became of a parcel: its waybill, its compartment, or both."""

    tracking_number = fields.String(validate=WAYBILL_RULE)
    compartment = Door()
    photo = fields.String(validate=validate.Length(1, 200))
    courier = fields.String(validate=COURIER)
    replayed = flag()

    @ma.validates_schema
    def names_a_parcel(self, data: dict[str, object], **_: object) -> None:
        """Refuse what could be about any parcel."""
        if not data.keys() & {"tracking_number", "compartment"}:
            raise ma.ValidationError("name the parcel or its compartment", "tracking_number")


class DepositedSchema(HandledSchema):
    """`data` of locker.parcel_deposited."""

    tracking_number = fields.String(required=True, validate=WAYBILL_RULE)
    compartment = Door(required=True)


class ReclaimSchema(HandledSchema):
    """`data` of locker.reclaim_requested."""

    courier = fields.String(required=True, validate=COURIER)


class DoorSchema(Schema):
    """`data` of what happened to a door."""

    compartment = Door(required=True)
    replayed = flag()


def cameras_down(data: dict[str, Any]) -> bool | None:
    """What a cabinet's heartbeat says of its cameras; None when it says nothing we know."""
    said = data.get("cameras")
    return None if said not in ("ok", "down", "covered") else said != "ok"


def sensors(data: dict[str, Any]) -> dict[int, str]:
    """What a cabinet's heartbeat says lies behind its doors, as {"doors": {"17": "occupied"}}."""
    said = data.get("doors")
    if not isinstance(said, dict) or len(said) > MOST_DOORS:
        return {}
    return {
        int(number): sensor
        for number, sensor in said.items()
        if NUMBER.fullmatch(number) and sensor in SENSORS
    }
