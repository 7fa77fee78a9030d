"""Devices and exceptions as JSON."""

import marshmallow as ma
from marshmallow import fields, validate

from core.http import Schema

CODE = validate.Regexp(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


class DeviceSchema(Schema):
    """A device as operators see it; its token is never shown again."""

    id = fields.String(attribute="code", required=True, validate=CODE)
    serial = fields.String(required=True, validate=validate.Length(1, 64))
    kind = fields.String(required=True, validate=validate.OneOf(["camera", "dock", "cabinet"]))
    lane = fields.String(load_default=None, validate=CODE, allow_none=True)
    display = fields.String(
        load_default="none", validate=validate.OneOf(["none", "led-485", "tts"])
    )
    active = fields.Boolean(dump_only=True)
    last_seen_at = fields.AwareDateTime(dump_only=True)
    clock_off_seconds = fields.Integer(dump_only=True, allow_none=True)


class TokenSchema(ma.Schema):
    """A device's new token: the only time it is shown."""

    id = fields.String()
    token = fields.String()
    serial = fields.String()


class ExceptionSchema(ma.Schema):
    """Something an operator should look at, and what was done.

    A device's event met it, or a sweep found it about a `subject` (stay or booking).
    """

    id = fields.Integer()
    reason = fields.String()
    plate = fields.String(allow_none=True)
    device = fields.String(allow_none=True)
    lane = fields.String(allow_none=True)
    event_id = fields.Integer(allow_none=True)
    subject = fields.String(allow_none=True)
    subject_id = fields.Integer(allow_none=True)
    raised_at = fields.AwareDateTime()
    resolved_at = fields.AwareDateTime(allow_none=True)
    resolved_by = fields.Integer(allow_none=True)
    resolution = fields.String(allow_none=True)


class ExceptionFilterSchema(Schema):
    """Which exceptions to list."""

    resolved = fields.Boolean(load_default=None)


class ResolutionSchema(Schema):
    """Why an exception is settled."""

    reason = fields.String(required=True, validate=validate.Length(1, 500))
