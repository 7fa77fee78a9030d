"""Cabinets, doors, what operators do by hand, and disputes, as JSON."""

import marshmallow as ma
from marshmallow import fields, validate

from core.http import Schema
from devices.schemas import CODE
from inspection.by_hand import SET_ASIDE
from inspection.corrections import FOUND, PUT
from inspection.relief import MOST_HOURS
from lockers.allocation import SIZES
from lockers.deposits import RECIPIENT_PHONE
from parcels.schemas import WAYBILL, answer
from storage.rules import SITES

MOST_DOORS, MOST_NUMBER, MOST_ROWS = 1_000, 999_999, 50

NAME = validate.Length(1, 64)
ADDRESS = validate.Length(1, 128)
WHY = validate.And(
    validate.Length(1, 200), validate.Regexp(r"(?s)\A.*\S", error="must say something")
)


PHONE = validate.Regexp(RECIPIENT_PHONE, error="a mobile number of 11 digits")


def why() -> fields.String:
    """The reason for what is done by hand."""
    return fields.String(required=True, validate=WHY)


class CabinetSchema(ma.Schema):
    """A parcel locker: where, how many doors of which size and in which state, how healthy."""

    code = fields.String()
    name = fields.String()
    address = fields.String(allow_none=True)
    site = fields.String(validate=validate.OneOf(SITES))
    low_rows = fields.Integer(metadata={"description": "rows from the ground with low doors"})
    active = fields.Boolean()
    health = fields.String(validate=validate.OneOf(["online", "late", "offline"]))
    cameras = fields.String(validate=validate.OneOf(["ok", "down"]))
    audited_at = fields.AwareDateTime(
        metadata={"description": "when somebody last walked along its doors"}
    )
    compartments = fields.Integer()
    S = fields.Integer()
    M = fields.Integer()
    L = fields.Integer()
    free = fields.Dict(
        fields.String(), fields.Integer(), metadata={"description": "free doors by size"}
    )
    states = fields.Dict(
        fields.String(), fields.Integer(), metadata={"description": "doors by state"}
    )


class CabinetPatchSchema(Schema):
    """What may change about a cabinet; what is absent stays."""

    name = fields.String(validate=NAME)
    address = fields.String(validate=ADDRESS, allow_none=True)
    site = fields.String(validate=validate.OneOf(SITES))
    low_rows = fields.Integer(strict=True, validate=validate.Range(0, MOST_ROWS))
    active = answer(metadata={"description": "false: nothing is put in, all can be taken out"})


class NewDoorSchema(Schema):
    """A compartment about to be; row 1 is the lowest."""

    number = fields.Integer(required=True, strict=True, validate=validate.Range(1, MOST_NUMBER))
    size = fields.String(required=True, validate=validate.OneOf(SIZES))
    row = fields.Integer(required=True, strict=True, validate=validate.Range(1, MOST_ROWS))


class NewCabinetSchema(CabinetPatchSchema):
    """A new cabinet and its compartments; `device` is the code of the device that speaks for it."""

    class Meta(CabinetPatchSchema.Meta):
        exclude = ("active",)

    code = fields.String(required=True, validate=CODE)
    name = fields.String(required=True, validate=NAME)
    device = fields.String(required=True, validate=CODE)
    compartments = fields.List(
        fields.Nested(NewDoorSchema), required=True, validate=validate.Length(1, MOST_DOORS)
    )


class BehindSchema(ma.Schema):
    """A parcel as whoever works here sees it."""

    id = fields.Integer()
    tracking_number = fields.String()
    phase = fields.String()
    reason = fields.String(allow_none=True, metadata={"description": "of an exception"})
    phone = fields.String(allow_none=True, metadata={"description": "the recipient's, masked"})
    since = fields.AwareDateTime()


class CompartmentSchema(ma.Schema):
    """A door, and the parcel that holds it or lies behind it."""

    number = fields.Integer()
    size = fields.String()
    row = fields.Integer()
    state = fields.String()
    reason = fields.String(allow_none=True, metadata={"description": "why it is out of use"})
    sensor = fields.String(allow_none=True, metadata={"description": "empty or occupied"})
    sensor_at = fields.AwareDateTime(allow_none=True)
    hold_until = fields.AwareDateTime(allow_none=True)
    parcel = fields.Nested(BehindSchema, allow_none=True)


class DoorStateSchema(Schema):
    """Take a door out of use, or give it back (`free`: occupied, if a parcel is inside)."""

    state = fields.String(required=True, validate=validate.OneOf(PUT))
    reason = why()


class FindingSchema(Schema):
    """What was found behind a door."""

    found = fields.String(required=True, validate=validate.OneOf(FOUND))
    tracking_number = fields.String(load_default=None, allow_none=True, validate=WAYBILL)
    reason = why()


class WorksheetRowSchema(ma.Schema):
    """A door in the weekly worksheet."""

    number = fields.Integer()
    size = fields.String()
    row = fields.Integer()
    state = fields.String()
    sensor = fields.String(allow_none=True)
    sensor_at = fields.AwareDateTime(allow_none=True)
    parcel_id = fields.Integer(allow_none=True)
    tracking_number = fields.String(allow_none=True)
    phase = fields.String(allow_none=True)
    phone = fields.String(allow_none=True, metadata={"description": "masked"})
    since = fields.AwareDateTime(allow_none=True)
    days = fields.Integer(allow_none=True)
    stale = fields.Boolean(metadata={"description": "its courier should have taken it back"})
    mismatch = fields.Boolean(metadata={"description": "the sensor contradicts the record"})
    look_for = fields.String()


class AuditSchema(Schema):
    """Somebody has walked along a cabinet with its worksheet."""

    note = fields.String(load_default=None, allow_none=True, validate=WHY)


class ReasonSchema(Schema):
    """Why something is done by hand."""

    reason = why()


class OpenCodeSchema(ma.Schema):
    """A code that opens a door once; this is its only sight."""

    phone_tail = fields.String()
    code = fields.String()
    expires_at = fields.AwareDateTime()


class RemovalSchema(ReasonSchema):
    """What proves that an operator took a parcel out properly."""

    photo = fields.String(required=True, validate=WHY, metadata={"description": "a reference"})
    witness = fields.String(required=True, validate=validate.And(NAME, WHY))


class SetAsideSchema(Schema):
    """What is wrong with a parcel."""

    reason = fields.String(required=True, validate=validate.OneOf(SET_ASIDE))
    note = fields.String(load_default=None, allow_none=True, validate=WHY)


class RestoreSchema(ReasonSchema):
    """Why a parcel can be fetched after all; where it lies, and whose it is, if that is new."""

    compartment = fields.Integer(
        load_default=None,
        allow_none=True,
        strict=True,
        validate=validate.Range(1, MOST_NUMBER),
        metadata={"description": "needed where the record names none"},
    )
    recipient_phone = fields.String(load_default=None, allow_none=True, validate=PHONE)


class ExtensionSchema(ReasonSchema):
    """How many hours longer something may stay for nothing."""

    hours = fields.Integer(required=True, strict=True, validate=validate.Range(1, MOST_HOURS))


class ExtendedSchema(ma.Schema):
    """How many parcels may stay longer."""

    parcels = fields.Integer()


class ParcelStandsSchema(ma.Schema):
    """How a parcel stands after something was done by hand."""

    id = fields.Integer()
    tracking_number = fields.String()
    phase = fields.String()
    reason = fields.String(allow_none=True)
    cabinet = fields.String(allow_none=True)
    compartment = fields.Integer(allow_none=True)
    extra_free_hours = fields.Integer()
    free_until = fields.AwareDateTime(allow_none=True)
    due_fen = fields.Integer()


class DisputeEventSchema(ma.Schema):
    """One link of a parcel's chain; `hash` is SHA-256 of `previous_hash` and `content`."""

    seq = fields.Integer()
    type = fields.String()
    actor = fields.String()
    occurred_at = fields.String()
    recorded_at = fields.String()
    event_id = fields.Integer(allow_none=True)
    data = fields.Raw()
    content = fields.String(metadata={"description": "the canonical text that is hashed"})
    previous_hash = fields.String()
    hash = fields.String()
    holds = fields.Boolean(metadata={"description": "false: changed since it was written"})


class ChainSchema(ma.Schema):
    """Whether the chain verifies, and where it breaks first."""

    ok = fields.Boolean()
    broken_at = fields.Integer(allow_none=True)
    length = fields.Integer()
    head = fields.String(allow_none=True)


class DisputeSchema(ma.Schema):
    """Everything known of one parcel (docs/dispute-file.md)."""

    made_at = fields.String()
    parcel = fields.Dict()
    place = fields.Dict()
    consent = fields.Dict()
    chain = fields.Nested(ChainSchema)
    events = fields.List(fields.Nested(DisputeEventSchema))
    code_attempts = fields.List(fields.Dict())
    notices = fields.List(fields.Dict())
    charges = fields.List(fields.Dict())
    credits = fields.List(fields.Dict())
    payments = fields.List(fields.Dict())
    door_events = fields.List(fields.Dict())
    device_events = fields.List(fields.Dict())
