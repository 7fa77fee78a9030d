"""Passwords: argon2id with the library's defaults (RFC 9106, low memory profile)."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 8, 256

hasher = PasswordHasher()
"""Tests set a cheaper one."""


def hash_password(password: str) -> str:
    """A salted argon2id hash, with its parameters inside. ValueError for an unfit password."""
    if not (SHORTEST <= len(password) <= LONGEST) or "\x00" in password:
        raise ValueError(f"a password has {SHORTEST} to {LONGEST} characters and no NUL")
    return hasher.hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Whether the password belongs to the hash; as much work when there is none (None)."""
    nobody = _hash_of_nobody(hasher)
    try:
        return hasher.verify(stored or nobody, password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return hasher.check_needs_rehash(stored)


@cache
def _hash_of_nobody(by: PasswordHasher) -> str:
    return by.hash("the password of nobody")
