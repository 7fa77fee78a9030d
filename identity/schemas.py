"""The JSON of sign-ins, households and people."""

from typing import Any

from marshmallow import fields, validate

from core.http import Schema
from core.logs import mask
from identity.deliveries import STATUSES
from identity.models import PHONE, ROLES, Person
from identity.passwords import LONGEST, SHORTEST

USERNAME = validate.Length(min=1, max=64)
NAME = validate.Length(min=1, max=64)
CODE = validate.Length(min=1, max=32)
NEW_PASSWORD = validate.Length(min=SHORTEST, max=LONGEST)
ANY_PASSWORD = validate.Length(max=LONGEST)


class CredentialsSchema(Schema):
    """A name and its password."""

    username = fields.String(required=True, validate=USERNAME)
    password = fields.String(required=True, validate=ANY_PASSWORD)


class RefreshSchema(Schema):
    """The refresh token that was given last."""

    refresh_token = fields.String(required=True, validate=validate.Length(max=4096))


class TokenPairSchema(Schema):
    """What a person holds while signed in."""

    access_token = fields.String(required=True)
    refresh_token = fields.String(required=True)
    token_type = fields.String(required=True)
    expires_in = fields.Integer(required=True, metadata={"description": "seconds"})


class PasswordChangeSchema(Schema):
    """The old password and the one to replace it."""

    old = fields.String(required=True, validate=ANY_PASSWORD)
    new = fields.String(required=True, validate=NEW_PASSWORD)


class HouseholdSchema(Schema):
    """A home; the name is the code unless given."""

    id = fields.Integer(dump_only=True)
    code = fields.String(required=True, validate=CODE)
    name = fields.String(validate=NAME)


class PersonSchema(Schema):
    """A person as an administrator, or they themselves, see them."""

    id = fields.Integer()
    username = fields.String()
    name = fields.String()
    phone: fields.Field[Any] = fields.String(allow_none=True)
    role = fields.String()
    household = fields.Pluck(HouseholdSchema, "code", allow_none=True)
    active = fields.Boolean()


class MaskedPersonSchema(PersonSchema):
    """A person as operators see them."""

    phone = fields.Method("masked_phone")

    def masked_phone(self, person: Person) -> str | None:
        """The phone without its middle."""
        return person.phone and mask(person.phone)


class PersonFilterSchema(Schema):
    """Which people to list."""

    role = fields.String(validate=validate.OneOf(ROLES))
    household = fields.String(validate=CODE)


class PersonPatchSchema(Schema):
    """What may change about a person; what is absent stays."""

    name = fields.String(validate=NAME)
    phone = fields.String(
        allow_none=True, validate=validate.Regexp(PHONE, error="a mobile number of 11 digits")
    )
    role = fields.String(validate=validate.OneOf(ROLES))
    household = fields.String(
        allow_none=True, validate=CODE, metadata={"description": "its code; residents only"}
    )
    active = fields.Boolean()
    password = fields.String(validate=NEW_PASSWORD)


class NewPersonSchema(PersonPatchSchema):
    """A new person who may sign in."""

    class Meta(PersonPatchSchema.Meta):
        exclude = ("active",)

    username = fields.String(required=True, validate=USERNAME)
    role = fields.String(required=True, validate=validate.OneOf(ROLES))
    password = fields.String(required=True, validate=NEW_PASSWORD)


class NoticeSchema(Schema):
    """Something a household was told; `about` and `about_id` name what it is about."""

    id = fields.Integer()
    kind = fields.String(metadata={"description": "a stable slug"})
    text = fields.String()
    about = fields.String(allow_none=True)
    about_id = fields.Integer(allow_none=True)
    recorded_at = fields.AwareDateTime()
    read_at = fields.AwareDateTime(allow_none=True)


class NoticeFilterSchema(Schema):
    """Which notices to list."""

    unread = fields.Boolean()


class DeliverySchema(Schema):
    """A notice on its way, as operators see it: without its code and the middle of the phone."""

    id = fields.Integer()
    notice_id = fields.Integer()
    channel = fields.String()
    status = fields.String(validate=validate.OneOf(STATUSES))
    kind = fields.String(metadata={"description": "a stable slug"})
    phone = fields.String(allow_none=True)
    text = fields.String()
    about = fields.String(allow_none=True)
    about_id = fields.Integer(allow_none=True)
    due_at = fields.AwareDateTime()
    sent_at = fields.AwareDateTime(allow_none=True)
    cancelled_at = fields.AwareDateTime(allow_none=True)
    attempts = fields.Integer()
    next_try_at = fields.AwareDateTime(allow_none=True)
    error = fields.String(allow_none=True, metadata={"description": "of the last try"})


class DeliveryFilterSchema(Schema):
    """Which deliveries to list."""

    status = fields.String(validate=validate.OneOf(STATUSES))
