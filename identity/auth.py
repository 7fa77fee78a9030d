"""Who is calling: the guard in front of every view for people."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, TypeVar
from uuid import UUID

from flask import g, request
from flask_smorest import Blueprint
from sqlalchemy import select

from core import clock
from core.app import settings
from core.db import db
from core.errors import Problem
from identity import tokens
from identity.models import ROLES, AuthSession, Person

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Principal:
    """The person who is calling."""

    id: int
    username: str
    role: str
    household_id: int | None
    session_id: UUID


def requires(*roles: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only signed-in people of these roles (none given: of any role) reach the view.

    Stands below the route and above `arguments`, so that nobody's body is read before they
    are known. Problem 401 for a missing, broken, expired or revoked token, 403 for a wrong
    role. The view can ask `current()`.
    """
    allowed = frozenset(roles or ROLES)
    if not allowed <= set(ROLES):
        raise ValueError(f"no such roles: {sorted(allowed - set(ROLES))}")

    def guard(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            g.principal = _authenticate()
            if g.principal.role not in allowed:
                raise Problem(403, "forbidden", "Your role may not do this.")
            return view(*args, **kwargs)

        described: Callable[P, R] = Blueprint.doc(security=[{"bearer": []}])(guarded)
        described.access_roles = allowed  # type: ignore[attr-defined]  # for the access test
        return described

    return guard


def current() -> Principal:
    """The person whom `requires` let in."""
    principal: Principal = g.principal
    return principal


def _authenticate() -> Principal:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _refused("sign-in-required", "Send an access token as a Bearer.", "Bearer")
    try:
        claims = tokens.decode(settings().secret_key, tokens.ACCESS, token.strip())
    except tokens.InvalidToken as error:
        raise invalid_token() from error
    row = db.session.execute(
        select(Person.id, Person.username, Person.role, Person.household_id, AuthSession.id)
        .join(AuthSession.person)
        .where(
            AuthSession.id == claims.session_id,
            AuthSession.person_id == claims.person_id,
            AuthSession.revoked_at.is_(None),
            AuthSession.expires_at > clock.now(),
            Person.active,
        )
    ).one_or_none()
    if row is None:
        raise invalid_token()
    return Principal(*row)


def invalid_token() -> Problem:
    """401 for a token that is broken, expired, used up or revoked."""
    challenge = 'Bearer error="invalid_token"'
    return _refused("invalid-token", "The token is not valid, or not any more.", challenge)


def _refused(code: str, detail: str, challenge: str) -> Problem:
    return Problem(401, code, detail, headers={"WWW-Authenticate": challenge})
