"""Routes: what a cabinet fetches for the time without a network, by its device token."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import marshmallow as ma
from flask import Response, g, request
from flask_smorest import Blueprint
from marshmallow import fields, validate

from core import clock
from core.app import settings
from core.db import atomic, db
from core.http import Schema
from devices.registry import unknown_device
from lockers import offline

blueprint = Blueprint(
    "offline-list", __name__, url_prefix="/api/v1", description="离线取件清单 · offline list"
)

P = ParamSpec("P")
R = TypeVar("R")

LIST = "application/jose"


def _is_public_key(x: str) -> None:
    if not offline.is_public_key(x):
        raise ma.ValidationError("must be an X25519 public key: 32 bytes in base64url")


class PublicKeySchema(Schema):
    """A cabinet's public key as a JWK (RFC 8037), and nothing of its private one."""

    kty = fields.String(required=True, validate=validate.Equal("OKP"))
    crv = fields.String(required=True, validate=validate.Equal("X25519"))
    x = fields.String(required=True, validate=_is_public_key)
    kid = fields.String(dump_only=True)


class SigningKeySchema(ma.Schema):
    """The community's public key as a JWK (RFC 8037): it verifies offline lists."""

    kty = fields.String()
    crv = fields.String()
    x = fields.String()
    kid = fields.String()
    use = fields.String()
    alg = fields.String()


def _by_a_cabinet(view: Callable[P, R]) -> Callable[P, R]:
    """Only a cabinet's device token gets through; a stranger's body is not read."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        g.cabinet = offline.cabinet_speaking(db.session(), _token(), clock.now())
        return view(*args, **kwargs)

    described: Callable[P, R] = Blueprint.doc(security=[{"bearer": []}])(guarded)
    return described


@blueprint.get("/cabinets/signing-key")
@blueprint.response(200, SigningKeySchema)
def show_signing_key() -> dict[str, str]:
    """The key that verifies offline lists; it is no secret."""
    return offline.published_key(settings().secret_key)


@blueprint.put("/device/public-key")
@_by_a_cabinet
@blueprint.arguments(PublicKeySchema)
@blueprint.response(200, PublicKeySchema)
def register_public_key(key: dict[str, str]) -> dict[str, Any]:
    """A cabinet's lists are encrypted to this key from now on."""
    kid = atomic(offline.register_key, g.cabinet.id, key, clock.now())
    return {**key, "kid": kid}


@blueprint.get("/device/offline-list")
@_by_a_cabinet
@blueprint.response(200, {"type": "string"}, content_type=LIST)
@blueprint.alt_response(304, description="the list the cabinet has is still right", success=True)
def fetch_offline_list() -> Response:
    """The codes that open this cabinet, signed and encrypted; 304 when it has them already."""
    secret_key = settings().secret_key
    drafted = offline.draft(db.session(), g.cabinet, clock.now(), secret_key)
    if request.if_none_match.contains_weak(drafted.etag):
        answer = Response(status=304)
    else:
        answer = Response(offline.sealed(drafted, secret_key), mimetype=LIST)
    answer.set_etag(drafted.etag, weak=True)  # encrypted anew, the same list has other bytes
    answer.cache_control.private = True
    answer.cache_control.no_cache = True
    return answer


def _token() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise unknown_device()
    return token
