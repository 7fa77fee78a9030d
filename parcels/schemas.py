"""Parcels, their codes, and what residents chose, as JSON."""

import re
from datetime import date
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate, validates_schema

from core.http import Instant, Schema
from ledger.schemas import FilterSchema
from lockers import deposits
from lockers.consent import CHOICES
from lockers.lifecycle import Phase

WAYBILL = validate.Regexp(deposits.WAYBILL, error="a waybill: 1 to 64 letters and digits")
SOMETHING = re.compile(r".*\S", re.DOTALL)
NAME = validate.And(validate.Length(1, 64), validate.Regexp(SOMETHING, error="say who"))
COMPLAINT = validate.And(
    validate.Length(1, 500), validate.Regexp(SOMETHING, error="say what is wrong")
)
CODE = validate.Length(1, 32)
USERNAME = validate.Length(1, 64)
DATE = validate.Range(date(2000, 1, 1), date(2099, 12, 31))
CLOCK = "%H:%M"


def answer(**more: Any) -> fields.Boolean:
    """JSON's own true or false."""
    return fields.Boolean(truthy={True}, falsy={False}, **more)


class ParcelFilterSchema(FilterSchema):
    """Which parcels to list."""

    status = fields.String(
        load_default=None, validate=validate.OneOf([str(phase) for phase in Phase])
    )
    tracking_number = fields.String(load_default=None, validate=WAYBILL)


class PlaceSchema(ma.Schema):
    """Where a parcel lies, or lay last."""

    cabinet = fields.String(metadata={"description": "its code"})
    name = fields.String()
    address = fields.String(allow_none=True)
    compartment = fields.Integer(allow_none=True)
    size = fields.String(allow_none=True, metadata={"description": "of the compartment"})


class BroughtBySchema(ma.Schema):
    """The courier, and the company if it is known."""

    code = fields.String()
    company = fields.String(allow_none=True)
    company_name = fields.String(allow_none=True)


class StorageFeeSchema(ma.Schema):
    """What storing costs: as of now while the parcel waits, then what was charged."""

    total_fen = fields.Integer()
    due_fen = fields.Integer()
    lines = fields.List(fields.Dict())
    ladder = fields.List(
        fields.Dict(),
        metadata={"description": "`total_fen` after each instant `from`, to the cap"},
    )
    next_step_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "until when the fee stays what it is"}
    )


class ParcelSchema(ma.Schema):
    """A parcel; its code is there for the recipient, and whom the recipient shares with."""

    id = fields.Integer()
    tracking_number = fields.String()
    phase = fields.String(validate=validate.OneOf([str(phase) for phase in Phase]))
    status = fields.String(
        metadata={"description": "the phase, under the name that bookings and stays have for it"}
    )
    reason = fields.String(allow_none=True, metadata={"description": "of an exception"})
    place = fields.Nested(PlaceSchema, allow_none=True)
    courier = fields.Nested(BroughtBySchema, allow_none=True)
    size = fields.String(allow_none=True)
    delicate = fields.Boolean(metadata={"description": "fresh or valuable"})
    wanted = fields.Boolean(
        allow_none=True, metadata={"description": "the recipient's answer for this very parcel"}
    )
    consent = fields.String(allow_none=True, metadata={"description": "what the deposit rests on"})
    reserved_at = fields.AwareDateTime(allow_none=True)
    deposited_at = fields.AwareDateTime(allow_none=True)
    free_until = fields.AwareDateTime(allow_none=True)
    ended_at = fields.AwareDateTime(allow_none=True)
    recorded_at = fields.AwareDateTime()
    mine = fields.Boolean(metadata={"description": "who reads is the recipient"})
    recipient = fields.String(allow_none=True, metadata={"description": "the name, if known"})
    phone = fields.String(allow_none=True, metadata={"description": "masked for all others"})
    phone_tail = fields.String(allow_none=True)
    pickup_code = fields.String(
        allow_none=True, metadata={"description": "entered after the phone's tail"}
    )
    code = fields.String(
        allow_none=True,
        metadata={"description": "pickup_code, under the name it has in a cabinet's messages"},
    )
    code_locked_until = fields.AwareDateTime(allow_none=True)
    fee = fields.Nested(StorageFeeSchema, allow_none=True)
    charge_id = fields.Integer(
        allow_none=True, metadata={"description": "of the fee, for POST /payments"}
    )


class ParcelEventSchema(ma.Schema):
    """One thing that happened to a parcel."""

    seq = fields.Integer()
    type = fields.String()
    actor = fields.String()
    occurred_at = fields.AwareDateTime(metadata={"description": "by the device's clock"})
    recorded_at = fields.AwareDateTime()
    data = fields.Dict()


class NewDelegateSchema(Schema):
    """Who may fetch a parcel, until when (at most 7 days ahead)."""

    name = fields.String(required=True, validate=NAME)
    expires_at = Instant(required=True)


class DelegateSchema(ma.Schema):
    """A code of its own for somebody who fetches a parcel."""

    id = fields.Integer()
    name = fields.String()
    phone_tail = fields.String(metadata={"description": "the recipient's, entered first"})
    code = fields.String(allow_none=True, metadata={"description": "null when it is over"})
    live = fields.Boolean()
    created_at = fields.AwareDateTime()
    expires_at = fields.AwareDateTime()
    locked_until = fields.AwareDateTime(allow_none=True)
    ended_at = fields.AwareDateTime(allow_none=True)
    ended_reason = fields.String(allow_none=True)


class NewComplaintSchema(Schema):
    """What is wrong with a parcel."""

    text = fields.String(required=True, validate=COMPLAINT)


class ComplaintSchema(ma.Schema):
    """What a recipient complained of, and what the desk answered."""

    filed_at = fields.AwareDateTime()
    text = fields.String(metadata={"description": "phones and plates in it are masked"})
    resolved_at = fields.AwareDateTime(allow_none=True)
    resolution = fields.String(allow_none=True, metadata={"description": "the answer"})


class ParcelFileSchema(ParcelSchema):
    """A parcel with what happened to it; the recipient sees whom they gave codes."""

    events = fields.List(fields.Nested(ParcelEventSchema))
    delegates = fields.List(fields.Nested(DelegateSchema))
    complaints = fields.List(fields.Nested(ComplaintSchema))


class ExpectedParcelSchema(Schema):
    """A parcel that its recipient announces; `locker` says whether it may go into one."""

    tracking_number = fields.String(required=True, validate=WAYBILL)
    locker = answer(required=True)


class PreferenceSchema(Schema):
    """What a resident chose. A PUT replaces all of it: what is absent is not chosen."""

    locker = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf(CHOICES),
        metadata={"description": "may parcels go into a locker; null: couriers ask each time"},
    )
    low_door = answer(load_default=False)
    share_with_household = answer(
        load_default=False,
        metadata={"description": "the household sees one's parcels and their codes"},
    )
    any_time = answer(load_default=False, metadata={"description": "be told at night, too"})
    quiet_from = fields.Time(
        load_default=None,
        format=CLOCK,
        metadata={"description": "own quiet hours; null: the community's"},
    )
    quiet_until = fields.Time(load_default=None, format=CLOCK)
    recorded_at = fields.AwareDateTime(dump_only=True, allow_none=True)

    @validates_schema
    def _quiet_hours_fit(self, data: dict[str, Any], **_: Any) -> None:
        since, until = data.get("quiet_from"), data.get("quiet_until")
        if (since is None) != (until is None):
            raise ma.ValidationError("goes with quiet_from, and it with this", "quiet_until")
        if since is not None and since == until:
            raise ma.ValidationError("must differ from quiet_from", "quiet_until")
        if since is not None and data.get("any_time"):
            raise ma.ValidationError("leaves no room for quiet hours", "any_time")


class OwnPreferenceSchema(PreferenceSchema):
    """What a resident chose, and the phone that parcels come by."""

    phone = fields.String(dump_only=True, allow_none=True)


class VacationSchema(Schema):
    """Whole days on which a resident is away, both included: the fee clock stands still."""

    id = fields.Integer(dump_only=True)
    starts_on = fields.Date(required=True, validate=DATE)
    ends_on = fields.Date(required=True, validate=DATE)
    recorded_at = fields.AwareDateTime(dump_only=True)


class MembershipFilterSchema(FilterSchema):
    """Whose memberships to list; residents see their household's."""

    household = fields.String(load_default=None, validate=CODE)


class MembershipSchema(Schema):
    """Days, both included, on which what is deposited for a household stays longer for nothing."""

    id = fields.Integer(dump_only=True)
    household = fields.String(validate=CODE, metadata={"description": "its code"})
    username = fields.String(
        load_only=True, validate=USERNAME, metadata={"description": "a resident of it, instead"}
    )
    starts_on = fields.Date(required=True, validate=DATE)
    ends_on = fields.Date(required=True, validate=DATE)
    recorded_at = fields.AwareDateTime(dump_only=True)

    @validates_schema
    def _one_of_both(self, data: dict[str, Any], **_: Any) -> None:
        if ("household" in data) == ("username" in data):
            raise ma.ValidationError("send either household or username", "household")


class LockerTermsSchema(Schema):
    """One version of the community's rules for lockers, with all of them; 0 are the defaults."""

    id = fields.Integer(dump_only=True, allow_none=True)
    version = fields.Integer(dump_only=True)
    valid_from = Instant(load_default=None, allow_none=True)
    rules = fields.Dict(keys=fields.String(), required=True)


class ReclaimTaskSchema(ma.Schema):
    """A parcel still inside that its courier is to take back."""

    id = fields.Integer(metadata={"description": "of the parcel"})
    tracking_number = fields.String()
    phase = fields.String()
    reason = fields.String()
    place = fields.Nested(PlaceSchema)
    courier = fields.Nested(BroughtBySchema, allow_none=True)
    phone = fields.String(allow_none=True, metadata={"description": "masked"})
    deposited_at = fields.AwareDateTime(allow_none=True)
    since = fields.AwareDateTime(metadata={"description": "when it became a task"})
