"""People for the tests of identity: Alice lives here, Root administrates, Olga operates."""

from contextlib import suppress

from flask import Flask
from redis.exceptions import ResponseError
from sqlalchemy.orm import Session

from core.app import settings
from core.limits import limiter
from identity import people, sessions
from identity.models import ADMIN, OPERATOR, RESIDENT, Person
from identity.sessions import TokenPair

PHONE = "13812345678"


def password_of(username: str) -> str:
    """Everybody's password in these tests."""
    return f"password of {username}"


def move_in(session: Session, username: str = "alice", home: str = "3-1-502") -> Person:
    """A resident with a phone, in a new household."""
    household = people.create_household(session, home, f"{home}室")
    resident = people.create_person(
        session,
        username,
        password_of(username),
        RESIDENT,
        name="王爱丽",
        phone=PHONE,
        household=household,
    )
    session.commit()
    return resident


def hire(session: Session, username: str, role: str) -> Person:
    """A member of the staff."""
    person = people.create_person(session, username, password_of(username), role)
    session.commit()
    return person


def hire_root(session: Session) -> Person:
    """An administrator."""
    return hire(session, "root", ADMIN)


def hire_olga(session: Session) -> Person:
    """An operator."""
    return hire(session, "olga", OPERATOR)


def signed_in(session: Session, username: str) -> TokenPair:
    """Tokens of a sign-in that no rate limit counts."""
    secret = settings().secret_key
    pair = sessions.sign_in(session, secret, username, password_of(username))
    assert pair is not None
    session.commit()
    return pair


def headers(session: Session, username: str) -> dict[str, str]:
    """Headers of a request by someone who just signed in."""
    return bearer(signed_in(session, username).access_token)


def forget_rate_limits() -> None:
    """Begin to count anew, in Redis and in this process."""
    for storage in (limiter._storage, limiter._fallback_storage):
        with suppress(ResponseError):  # a Redis without scripts never counted anything
            if storage is not None:
                storage.reset()


def bearer(token: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


def secret_of(app: Flask) -> str:
    """The secret the app signs with."""
    secret: str = app.config["SETTINGS"].secret_key
    return secret
