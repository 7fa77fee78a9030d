"""Routes of identity: signing in and out, households, people, and what they were told."""

import hashlib
from typing import Any

from flask import Response, jsonify, request
from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters
from sqlalchemy.orm import Session

from core import clock
from core.app import settings
from core.db import atomic, db
from core.errors import Problem, invalid
from core.limits import limiter
from core.paging import page_of
from identity import deliveries, notices, people, sessions, tokens
from identity.auth import current, invalid_token, requires
from identity.channels import masked_phone
from identity.models import ADMIN, OPERATOR, RESIDENT, Delivery, Household, Notice, Person
from identity.schemas import (
    CredentialsSchema,
    DeliveryFilterSchema,
    DeliverySchema,
    HouseholdSchema,
    MaskedPersonSchema,
    NewPersonSchema,
    NoticeFilterSchema,
    NoticeSchema,
    PasswordChangeSchema,
    PersonFilterSchema,
    PersonPatchSchema,
    PersonSchema,
    RefreshSchema,
    TokenPairSchema,
)

auth = Blueprint("auth", __name__, url_prefix="/api/v1", description="登录 · signing in and out")
directory = Blueprint(
    "people", __name__, url_prefix="/api/v1", description="住户与人员 · households and people"
)
inbox = Blueprint("notices", __name__, url_prefix="/api/v1", description="通知 · notices")
blueprints = [auth, directory, inbox]


def _name_tried() -> str:
    """The rate limit's key for a username; bodies without one share the caller's address."""
    try:
        body = request.get_json(silent=True)
    except RecursionError:
        body = None
    name = body.get("username") if isinstance(body, dict) else None
    said = name.lower() if isinstance(name, str) else f"\n{request.remote_addr}"
    return hashlib.sha256(said.encode("utf-8", "backslashreplace")).hexdigest()


def _caller() -> str:
    return str(current().id)


@auth.post("/auth/token")
@limiter.limit("30/minute")
@limiter.limit("10/minute", key_func=_name_tried)
@auth.arguments(CredentialsSchema)
@auth.response(200, TokenPairSchema)
def sign_in(credentials: dict[str, str]) -> sessions.TokenPair:
    """Sign in with username and password."""
    pair = atomic(sessions.sign_in, settings().secret_key, **credentials)
    if pair is None:
        raise Problem(
            401,
            "wrong-credentials",
            "The username or the password is wrong.",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return pair


@auth.post("/auth/refresh")
@limiter.limit("60/minute")
@auth.arguments(RefreshSchema)
@auth.response(200, TokenPairSchema)
def refresh(body: dict[str, str]) -> sessions.TokenPair:
    """Trade the refresh token for new tokens; using an old one again ends the sign-in."""
    secret = settings().secret_key
    try:
        claims = tokens.decode(secret, tokens.REFRESH, body["refresh_token"])
    except tokens.InvalidToken as error:
        raise invalid_token() from error
    pair = atomic(sessions.refresh, secret, claims)
    if pair is None:
        raise invalid_token()
    return pair


@auth.post("/auth/logout")
@requires()
@auth.response(204)
def sign_out() -> None:
    """End this sign-in."""
    atomic(sessions.sign_out, current().session_id)


@auth.post("/auth/password")
@requires()
@limiter.limit("10/minute", key_func=_caller)
@auth.arguments(PasswordChangeSchema)
@auth.response(204)
def change_password(body: dict[str, str]) -> None:
    """Replace one's own password; every sign-in ends, this one too."""
    if not atomic(sessions.change_password, current().id, body["old"], body["new"]):
        raise invalid("old", "is not your password")


@auth.get("/me")
@requires()
@auth.response(200, PersonSchema)
def me() -> Person:
    """Who I am."""
    return db.session.get_one(Person, current().id)


@directory.get("/households")
@requires(OPERATOR, ADMIN)
@directory.response(200, HouseholdSchema(many=True))
@directory.paginate()
def list_households(pagination_parameters: PaginationParameters) -> list[Household]:
    """Every household."""
    return page_of(people.households(), pagination_parameters)


@directory.post("/households")
@requires(ADMIN)
@directory.arguments(HouseholdSchema)
@directory.response(201, HouseholdSchema)
def create_household(body: dict[str, str]) -> Household:
    """A new household."""
    return atomic(people.create_household, **body)


@directory.get("/people")
@requires(OPERATOR, ADMIN)
@directory.arguments(PersonFilterSchema, location="query")
@directory.response(200, PersonSchema(many=True))
@directory.paginate()
def list_people(wanted: dict[str, str], pagination_parameters: PaginationParameters) -> Response:
    """People; operators see phones masked."""
    schema = PersonSchema if current().role == ADMIN else MaskedPersonSchema
    found = page_of(people.people(**wanted), pagination_parameters)
    return jsonify(schema(many=True).dump(found))


@directory.post("/people")
@requires(ADMIN)
@directory.arguments(NewPersonSchema)
@directory.response(201, PersonSchema)
def create_person(body: dict[str, Any]) -> Person:
    """A new person who may sign in."""
    return atomic(_create_person, body)


@directory.patch("/people/<int:person_id>")
@requires(ADMIN)
@directory.arguments(PersonPatchSchema)
@directory.response(200, PersonSchema)
def update_person(body: dict[str, Any], person_id: int) -> Person:
    """Change a person; deactivating them or setting their password signs them out everywhere."""
    return atomic(people.update_person, person_id, body)


@inbox.get("/notices")
@requires(RESIDENT)
@inbox.arguments(NoticeFilterSchema, location="query")
@inbox.response(200, NoticeSchema(many=True))
@inbox.paginate()
def list_notices(
    wanted: dict[str, bool], pagination_parameters: PaginationParameters
) -> list[dict[str, Any]]:
    """What one's own household, or oneself, was told, newest first."""
    mine = notices.notices(current().household_id, current().id, **wanted)
    return [_readable(notice) for notice in page_of(mine, pagination_parameters)]


@inbox.post("/notices/<int:notice_id>/read")
@requires(RESIDENT)
@inbox.response(200, NoticeSchema)
def read_notice(notice_id: int) -> dict[str, Any]:
    """Mark a notice as read."""
    reader = current()
    now = clock.now()
    return _readable(atomic(notices.mark_read, notice_id, reader.household_id, reader.id, now))


@inbox.get("/deliveries")
@requires(OPERATOR, ADMIN)
@inbox.arguments(DeliveryFilterSchema, location="query")
@inbox.response(200, DeliverySchema(many=True))
@inbox.paginate()
def list_deliveries(
    wanted: dict[str, str], pagination_parameters: PaginationParameters
) -> list[dict[str, Any]]:
    """Notices on their way through each channel, newest first; codes and phones are hidden."""
    found = page_of(deliveries.deliveries(**wanted), pagination_parameters)
    return [_delivery(delivery) for delivery in found]


def _create_person(session: Session, body: dict[str, Any]) -> Person:
    household = people.household_by_code(session, body.get("household"))
    return people.create_person(session, **{**body, "household": household})


def _readable(notice: Notice) -> dict[str, Any]:
    names = ("id", "kind", "about", "about_id", "recorded_at", "read_at")
    shown = {name: getattr(notice, name) for name in names}
    return shown | {"text": notices.text_for_reader(notice, settings().secret_key)}


def _delivery(delivery: Delivery) -> dict[str, Any]:
    names = ("id", "notice_id", "channel", "due_at", "sent_at", "cancelled_at", "attempts")
    shown = {name: getattr(delivery, name) for name in (*names, "next_try_at", "error")}
    notice = delivery.notice
    phone = notice.phone or (notice.person.phone if notice.person else None)
    return shown | {
        "status": deliveries.status_of(delivery),
        "kind": notice.kind,
        "phone": masked_phone(phone),
        "text": deliveries.masked_text(notice.text),
        "about": notice.about,
        "about_id": notice.about_id,
    }
