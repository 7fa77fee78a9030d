"""Spaces, sharing windows, permits and calendar days as JSON."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from core.http import Instant, Schema
from parking.plates import COLORS
from parking.schemas import CODE, ID, PLATE
from tariffs.days import DayKind

CLOCK = "%H:%M"
HOUR = validate.Regexp(r"\A([01][0-9]|2[0-3]):[0-5][0-9]\Z", error="must be a time as 18:00")
YEARS = (date(2000, 1, 1), date(2100, 1, 1))


def each_once(values: Sequence[Any]) -> None:
    """Refuse a list that says something twice."""
    if len(set(values)) < len(values):
        raise ma.ValidationError("must name each once")


class Day(fields.Date):
    """A date of the community, between the years 2000 and 2100."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> date:
        day: date = super()._deserialize(value, attr, data, **kwargs)
        if not YEARS[0] <= day < YEARS[1]:
            raise ma.ValidationError("must lie between the years 2000 and 2100")
        return day


class Weekdays(fields.List[int]):
    """Days of the week by their ISO numbers, Monday 1."""

    def __init__(self) -> None:
        number = fields.Integer(strict=True, validate=validate.Range(1, 7))
        super().__init__(number, required=True, validate=[validate.Length(1, 7), each_once])


class SharingWindowSchema(Schema):
    """When an owner offers a space: weekly hours (they may wrap midnight) in a span of dates."""

    id = fields.Integer(dump_only=True)
    weekdays = Weekdays()
    begins = fields.Time(data_key="from", required=True, format=CLOCK)
    ends = fields.Time(data_key="to", required=True, format=CLOCK)
    valid_from = Day(metadata={"description": "the first day; today unless given"})
    valid_until = Day(allow_none=True, metadata={"description": "the last day; null: no end"})
    blocked = fields.List(Day(), data_key="blocked_days", validate=validate.Length(max=400))
    on_holidays = fields.Boolean(metadata={"description": "statutory holidays too (true)"})


class SharingWindowPatchSchema(SharingWindowSchema):
    """What may change about a window; load it partially: what is absent stays."""


class SpaceFilterSchema(Schema):
    """Which spaces to list."""

    lot = fields.String(validate=CODE)
    mine = fields.Boolean()


class SpaceSchema(Schema):
    """The place of one vehicle."""

    code = fields.String()
    lot = fields.String()
    private = fields.Boolean(metadata={"description": "it belongs to a household"})
    mine = fields.Boolean(metadata={"description": "it belongs to the household that asks"})
    charging = fields.Boolean()
    accessible = fields.Boolean()
    building = fields.String(allow_none=True)
    in_service = fields.Boolean()
    offered_now = fields.Boolean(metadata={"description": "it may be booked now if it is free"})


class DeskSpaceSchema(SpaceSchema):
    """A space as the desk sees it: with its owner."""

    owner_household_id = fields.Integer(allow_none=True)


class SpacePatchSchema(Schema):
    """What may change about a space; what is absent stays. Only an admin gives it away."""

    charging = fields.Boolean()
    accessible = fields.Boolean()
    building = fields.String(allow_none=True, validate=validate.Length(1, 64))
    in_service = fields.Boolean()
    owner_household_id = fields.Integer(allow_none=True, strict=True, validate=ID)


class PermitHoursSchema(Schema):
    """Hours of the week in which a permit holds; they may wrap midnight."""

    weekdays = Weekdays()
    begins = fields.String(data_key="from", attribute="from", required=True, validate=HOUR)
    ends = fields.String(data_key="to", attribute="to", required=True, validate=HOUR)
    on_holidays = fields.Boolean(load_default=True)


class PermitPlateSchema(Schema):
    """One plate of a permit."""

    plate = fields.String(required=True, validate=PLATE)
    plate_color = fields.String(load_default="unknown", validate=validate.OneOf(COLORS))


class PermitSchema(Schema):
    """A standing right of plates: to one space, or to `places` of the lot's."""

    id = fields.Integer(dump_only=True)
    lot = fields.String(required=True, validate=CODE)
    kind = fields.String(required=True, validate=validate.OneOf(["resident", "monthly", "staff"]))
    plate = fields.String(validate=PLATE, metadata={"description": "the first of the plates"})
    plate_color = fields.String(validate=validate.OneOf(COLORS))
    plates = fields.List(fields.Nested(PermitPlateSchema), validate=validate.Length(1, 20))
    space = fields.String(load_default=None, allow_none=True, validate=CODE)
    starts_at = Instant(required=True)
    ends_at = Instant(required=True)
    hours = fields.List(
        fields.Nested(PermitHoursSchema),
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 20),
    )
    places = fields.Integer(load_default=1, strict=True, validate=validate.Range(1, 1000))
    swap_minutes = fields.Integer(load_default=0, strict=True, validate=validate.Range(0, 1440))

    @ma.validates_schema
    def one_way_to_name_plates(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse both `plate` and `plates`, and neither."""
        if ("plate" in data) == ("plates" in data):
            raise ma.ValidationError("send either plate or plates", "plate")
        if "plates" in data and "plate_color" in data:
            raise ma.ValidationError("belongs to plate", "plate_color")


class CalendarFilterSchema(Schema):
    """Which year to show; this one unless given."""

    year = fields.Integer(validate=validate.Range(2000, 2099))


class CalendarDaySchema(Schema):
    """What kind of day a date is; `makeup_workday` is one at a weekend."""

    day = fields.Date(dump_only=True)
    kind = fields.String(required=True, validate=validate.OneOf([str(kind) for kind in DayKind]))
    name = fields.String(required=True, validate=validate.Length(1, 64))
    decreed = fields.Boolean(dump_only=True, metadata={"description": "decided here"})


class CalendarSchema(ma.Schema):
    """A year's days that are not what their weekday says."""

    year = fields.Integer()
    provisional = fields.Boolean(
        metadata={"description": "its make-up workdays are not announced yet"}
    )
    days = fields.List(fields.Nested(CalendarDaySchema))
