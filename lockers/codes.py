"""Pickup codes: six digits beside the tail of a phone, found by a keyed digest, shown from a seal.

One random try hits one of a hundred doors with a chance of 1 in 10^8 (tail and code together). A
slow hash would not help a million values when the key leaks, and could not be looked up.
"""

import secrets
from dataclasses import dataclass

from core.sealing import keyed_digest, seal

DIGITS = 6
PURPOSE = "pickup-code"


@dataclass(frozen=True, slots=True)
class NewCode:
    """A code about to be given: its digest is stored for the door, its seal for its owner."""

    phone_tail: str
    digest: bytes
    sealed: bytes


def new_code(secret_key: str, phone_tail: str) -> NewCode:
    """A random code for a phone tail; it leaves this function only sealed.

    Two alike at one cabinet are refused by the database, and the next try draws another.
    """
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    return NewCode(phone_tail, digest_of(secret_key, phone_tail, code), seal(secret_key, code))


def digest_of(secret_key: str, phone_tail: str, code: str) -> bytes:
    """What is stored and looked up of a code: HMAC-SHA256 under the installation's key."""
    return keyed_digest(secret_key, PURPOSE, f"{phone_tail}|{code}")
