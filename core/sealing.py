"""Texts that lie in the database unreadable, and digests that only this installation can make.

Every key is derived from the installation's secret key, one for each purpose, so that what was
made for one purpose says nothing about another.
"""

import base64
import hashlib
import hmac
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32


class SealError(ValueError):
    """It was sealed with another secret key, or changed since."""


def seal(secret_key: str, text: str) -> bytes:
    """The text, encrypted and signed; twice the same text gives different bytes."""
    return _fernet(secret_key).encrypt(text.encode())


def unseal(secret_key: str, sealed: bytes) -> str:
    """The text that was sealed; SealError when it is not ours or not whole."""
    try:
        return _fernet(secret_key).decrypt(sealed).decode()
    except InvalidToken as error:
        raise SealError("not sealed with this secret key") from error


def keyed_digest(secret_key: str, purpose: str, text: str) -> bytes:
    """HMAC-SHA256 of the text, 32 bytes: to find it again without keeping it."""
    return hmac.digest(_key(secret_key, f"digest {purpose}"), text.encode(), hashlib.sha256)


def derived_key(secret_key: str, purpose: str) -> bytes:
    """32 bytes for this purpose alone, the same at every call: a key for another algorithm."""
    return _key(secret_key, f"key {purpose}")


@lru_cache(maxsize=4)
def _fernet(secret_key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(_key(secret_key, "seal")))


@lru_cache(maxsize=64)
def _key(secret_key: str, purpose: str) -> bytes:
    """A key of its own for the purpose (RFC 5869), whose label keeps the purposes apart."""
    derived = HKDF(SHA256(), length=KEY_BYTES, salt=None, info=f"huilin {purpose}".encode())
    return derived.derive(secret_key.encode())
