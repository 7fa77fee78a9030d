"""Signed tokens: what is in them and whether to believe them. Revocation is sessions.py's."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
from jwt.types import Options

from core import clock

ALGORITHM = "HS256"
ISSUER = "huilin"
ACCESS, REFRESH = "access", "refresh"
LIFETIME = {ACCESS: timedelta(minutes=15), REFRESH: timedelta(days=30)}

# The library would ask the machine's clock; we ask ours.
OPTIONS: Options = {
    "require": ["sub", "sid", "typ", "jti", "iat", "exp", "iss"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
}


class InvalidToken(Exception):  # noqa: N818 - the state of the token, not a failure of ours
    """Forged, foreign, expired, of the other type, or not a token at all."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a believed token says."""

    person_id: int
    session_id: UUID
    token_id: UUID


def encode(secret: str, token_type: str, claims: Claims) -> str:
    """A token of the type, signed, that lives as long as its type does from now on."""
    now = clock.now()
    return jwt.encode(
        {
            "sub": str(claims.person_id),
            "sid": str(claims.session_id),
            "typ": token_type,
            "jti": str(claims.token_id),
            "iat": now,
            "exp": now + LIFETIME[token_type],
            "iss": ISSUER,
        },
        secret,
        algorithm=ALGORITHM,
    )


def decode(secret: str, token_type: str, token: str) -> Claims:
    """The claims of a genuine, unexpired token of the type; InvalidToken otherwise."""
    try:
        said = jwt.decode(token, secret, algorithms=[ALGORITHM], issuer=ISSUER, options=OPTIONS)
        expires_at = datetime.fromtimestamp(said["exp"], UTC)
        claims = Claims(int(said["sub"]), UUID(said["sid"]), UUID(said["jti"]))
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise InvalidToken from error
    if said["typ"] != token_type or expires_at <= clock.now():
        raise InvalidToken
    return claims
