"""Which tokens are believed."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import clock
from identity import tokens
from identity.tokens import ACCESS, REFRESH, Claims, InvalidToken

SECRET = "a secret of this test, long enough for HS256"
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
CLAIMS = Claims(7, UUID(int=1), UUID(int=2))
PAYLOAD: dict[str, Any] = {
    "sub": "7",
    "sid": str(UUID(int=1)),
    "jti": str(UUID(int=2)),
    "typ": ACCESS,
    "iat": NOON,
    "exp": NOON + timedelta(minutes=15),
    "iss": "huilin",
}


def forged(
    secret: str = SECRET, algorithm: str = "HS256", leave_out: str = "", **changes: Any
) -> str:
    said = {k: v for k, v in (PAYLOAD | changes).items() if k != leave_out}
    return jwt.encode(said, secret, algorithm=algorithm)


def unsigned(header: dict[str, Any]) -> str:
    said = PAYLOAD | {"iat": int(NOON.timestamp()), "exp": int(NOON.timestamp()) + 900}
    parts = (json.dumps(part).encode() for part in (header, said))
    return b".".join(
        [*(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts), b""]
    ).decode()


@pytest.mark.parametrize("token_type", [ACCESS, REFRESH])
def test_a_token_says_what_was_put_in(token_type: str) -> None:
    with clock.at(NOON):
        token = tokens.encode(SECRET, token_type, CLAIMS)
        assert tokens.decode(SECRET, token_type, token) == CLAIMS


@pytest.mark.parametrize(
    ("token_type", "lifetime"), [(ACCESS, timedelta(minutes=15)), (REFRESH, timedelta(days=30))]
)
def test_a_token_lives_until_its_last_second(token_type: str, lifetime: timedelta) -> None:
    with clock.at(NOON):
        token = tokens.encode(SECRET, token_type, CLAIMS)
    with clock.at(NOON + lifetime - timedelta(seconds=1)):
        tokens.decode(SECRET, token_type, token)
    with clock.at(NOON + lifetime), pytest.raises(InvalidToken):
        tokens.decode(SECRET, token_type, token)


def test_the_forgery_of_these_tests_would_pass_unchanged() -> None:
    with clock.at(NOON):
        assert tokens.decode(SECRET, ACCESS, forged()) == CLAIMS


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(forged(secret="another secret, also long enough for it"), id="foreign secret"),
        pytest.param(forged(algorithm="HS512", secret=SECRET * 2), id="other algorithm"),
        pytest.param(unsigned({"alg": "none", "typ": "JWT"}), id="no algorithm"),
        pytest.param(unsigned({"alg": "HS256", "typ": "JWT"}), id="no signature"),
        pytest.param(unsigned({"typ": "JWT"}), id="algorithm not named"),
        pytest.param(forged(typ=REFRESH), id="refresh as access"),
        pytest.param(forged(typ="other"), id="unknown type"),
        pytest.param(forged(iss="someone"), id="other issuer"),
        pytest.param(forged(sub="alice"), id="sub is no number"),
        pytest.param(forged(sid="1"), id="sid is no uuid"),
        pytest.param(forged(sid=["1"]), id="sid is a list"),
        pytest.param(forged(jti="1"), id="jti is no uuid"),
        pytest.param(forged(exp=10**30), id="the end of time"),
        pytest.param(forged(exp="soon"), id="exp is a word"),
        *(pytest.param(forged(leave_out=claim), id=f"without {claim}") for claim in PAYLOAD),
    ],
)
def test_a_token_that_is_not_ours_is_not_believed(token: str) -> None:
    with clock.at(NOON), pytest.raises(InvalidToken):
        tokens.decode(SECRET, ACCESS, token)


def test_another_algorithm_with_our_own_secret_is_not_believed() -> None:
    long_secret = SECRET * 2
    with clock.at(NOON), pytest.raises(InvalidToken):
        tokens.decode(long_secret, ACCESS, forged(secret=long_secret, algorithm="HS384"))


@given(st.one_of(st.text(), st.from_regex(r"[\w-]+\.[\w-]+\.[\w-]*")))
def test_rubbish_is_never_believed_and_never_crashes(token: str) -> None:
    with pytest.raises(InvalidToken):
        tokens.decode(SECRET, ACCESS, token)


@given(st.integers(min_value=0), st.sampled_from("ABCxyz09-_."))
def test_a_changed_character_breaks_a_token(position: int, character: str) -> None:
    token = forged()
    i = position % (len(token) - 1)  # the last one carries unused bits
    changed = token[:i] + character + token[i + 1 :]
    with clock.at(NOON):
        if changed == token:
            assert tokens.decode(SECRET, ACCESS, changed) == CLAIMS
        else:
            with pytest.raises(InvalidToken):
                tokens.decode(SECRET, ACCESS, changed)
