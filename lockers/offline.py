"""The offline list: which codes open which doors, for a cabinet to hold while the network is down.

It is signed by the community and encrypted to the one cabinet; what is in it and what the cabinet
does with it is told in docs/offline-list.md.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from joserfc import jwe, jws
from joserfc.jwk import OKPKey
from sqlalchemy import Row, Select, or_, select
from sqlalchemy import text as sql
from sqlalchemy.orm import Session

from core.db import driver
from core.errors import Problem
from core.sealing import SealError, derived_key, unseal
from devices import registry
from lockers.clocks import rules_in_force
from lockers.lifecycle import INSIDE
from lockers.models import Cabinet, Compartment, Parcel, PickupCode
from lockers.pickups import STAFF
from storage.rules import LockerRules

log = structlog.get_logger()

VERSION = 1
LASTS = timedelta(hours=24)
"""A list opens nothing after this time."""

RENEWED = timedelta(hours=6)
"""So often a list is new though nothing changed: whoever polls holds one good for 18 hours."""

SIGNED = "Ed25519"
"""RFC 9864's name for what was EdDSA on this curve; the signature is the same."""

WRAPPED, ENCRYPTED = "ECDH-ES+A256KW", "A256GCM"
TYPE = "huilin-offline-list"
PURPOSE = "offline-list signature"

_X25519 = re.compile(r"[A-Za-z0-9_-]{43}")
_PROBE = X25519PrivateKey.from_private_bytes(bytes(range(32)))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# A cabinet is not given new keys every day: whoever stole its token would do just that.
CASE = """
INSERT INTO exception_case (subject, subject_id, reason, raised_at)
VALUES ('cabinet', :cabinet, 'cabinet-key-changed', :now)
ON CONFLICT (subject, subject_id, reason) DO UPDATE
SET raised_at = EXCLUDED.raised_at, resolved_at = NULL, resolved_by = NULL, resolution = NULL
"""

Active = Row[int, int, str, str, bytes, bytes | None, datetime | None]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a list is about to say, every code still under its seal."""

    cabinet: str
    public_key: Mapping[str, str]
    rules: LockerRules
    issued_at: datetime
    codes: Sequence[Active]
    etag: str


def cabinet_speaking(session: Session, token: str, now: datetime) -> Cabinet:
    """The cabinet a device token speaks for; Problem 401 for no device, 403 for another kind."""
    device = registry.authenticate(session, token, now)
    cabinet = session.scalar(select(Cabinet).where(Cabinet.device_id == device.id))
    if cabinet is None:
        raise Problem(403, "no-cabinet", "This device is no parcel cabinet.")
    return cabinet


def is_public_key(x: str) -> bool:
    """Whether this is an X25519 public key in base64url (RFC 8037), written the one right way.

    A point of small order would let anybody read what is encrypted to it.
    """
    if not _X25519.fullmatch(x):
        return False
    raw = base64.urlsafe_b64decode(f"{x}=")
    if _base64url(raw) != x:
        return False
    try:
        _PROBE.exchange(X25519PublicKey.from_public_bytes(raw))
    except ValueError:
        return False
    return True


def register_key(session: Session, cabinet_id: int, key: Mapping[str, str], now: datetime) -> str:
    """Encrypt a cabinet's lists to this key from now on; the key's thumbprint (RFC 7638).

    Operators are shown that a key was replaced.
    """
    cabinet = session.get_one(
        Cabinet, cabinet_id, with_for_update={"key_share": True}, populate_existing=True
    )
    if cabinet.public_key is not None and cabinet.public_key != key:
        session.execute(sql(CASE), {"cabinet": cabinet_id, "now": now})
    cabinet.public_key = dict(key)
    session.flush()
    return thumbprint(key)


def thumbprint(key: Mapping[str, str]) -> str:
    """By which a key is named (RFC 7638)."""
    return OKPKey.import_key(dict(key)).thumbprint()


def published_key(secret_key: str) -> dict[str, str]:
    """The key, a JWK, by which everybody can check what the community signed."""
    key = _signing_key(secret_key)
    public = key.as_dict(private=False)
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": str(public["x"]),
        "kid": key.thumbprint(),
        "use": "sig",
        "alg": SIGNED,
    }


def draft(session: Session, cabinet: Cabinet, now: datetime, secret_key: str) -> Draft:
    """What the cabinet's list says now; Problem 409 before the cabinet has registered its key.

    The ETag tells whether a cabinet that has a list needs another: it is the same as long as the
    codes, the rules, both keys and the term of six hours are.
    """
    if cabinet.public_key is None:
        detail = "Register the cabinet's public key before: PUT /api/v1/device/public-key."
        raise Problem(409, "no-public-key", detail)
    rules = rules_in_force(driver(session), now)
    codes = session.execute(_active(cabinet.id, now)).all()
    said = [
        (VERSION, cabinet.code, limits(rules), (now - _EPOCH) // RENEWED),
        (thumbprint(cabinet.public_key), _signing_key(secret_key).thumbprint()),
        *((c.parcel_id, c.number, c.kind, c.digest.hex(), c.expires_at) for c in codes),
    ]
    etag = hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()
    return Draft(cabinet.code, cabinet.public_key, rules, now, codes, etag)


def sealed(drafted: Draft, secret_key: str) -> str:
    """The list, signed, then encrypted to the cabinet: one compact JWE with a JWS in it."""
    content = json.dumps(_content(drafted, secret_key), separators=(",", ":"))
    key = _signing_key(secret_key)
    signature = {"alg": SIGNED, "kid": key.thumbprint(), "typ": TYPE}
    signed = jws.serialize_compact(signature, content, key, algorithms=[SIGNED])
    reader = OKPKey.import_key(dict(drafted.public_key))
    envelope = {"alg": WRAPPED, "enc": ENCRYPTED, "kid": reader.thumbprint(), "cty": "JOSE"}
    return jwe.encrypt_compact(envelope, signed, reader, algorithms=[WRAPPED, ENCRYPTED])


def limits(rules: LockerRules) -> dict[str, int]:
    """How a cabinet without a network slows guessing: as we do."""
    return {
        "code_failures": rules.code_failures,
        "code_lock_minutes": rules.code_lock_minutes,
        "guess_failures": rules.guess_failures,
        "guess_window_seconds": rules.guess_window_seconds,
        "guess_pause_seconds": rules.guess_pause_seconds,
    }


def _active(
    cabinet_id: int, now: datetime
) -> Select[int, int, str, str, bytes, bytes | None, datetime | None]:
    """Codes that would open a door now, but staff's: those are checked, with reason, by us."""
    return (
        select(
            PickupCode.parcel_id,
            Compartment.number,
            PickupCode.kind,
            PickupCode.phone_tail,
            PickupCode.digest,
            PickupCode.sealed,
            PickupCode.expires_at,
        )
        .join(Parcel, Parcel.id == PickupCode.parcel_id)
        .join(Compartment, Compartment.parcel_id == Parcel.id)
        .where(
            PickupCode.cabinet_id == cabinet_id,
            Compartment.cabinet_id == cabinet_id,
            PickupCode.ended_at.is_(None),
            PickupCode.kind != STAFF,
            or_(PickupCode.locked_until.is_(None), PickupCode.locked_until <= now),
            or_(PickupCode.expires_at.is_(None), PickupCode.expires_at > now),
            Parcel.phase.in_(sorted(INSIDE)),
        )
        .order_by(Compartment.number, PickupCode.id)
    )


def _content(drafted: Draft, secret_key: str) -> dict[str, Any]:
    key = secrets.token_bytes(32)
    return {
        "version": VERSION,
        "cabinet": drafted.cabinet,
        "issued_at": drafted.issued_at.isoformat(),
        "valid_until": (drafted.issued_at + LASTS).isoformat(),
        "sequence": (drafted.issued_at - _EPOCH) // timedelta(milliseconds=1),
        "key": _base64url(key),
        "limits": limits(drafted.rules),
        "codes": list(_entries(drafted.codes, key, secret_key)),
    }


def _entries(codes: Sequence[Active], key: bytes, secret_key: str) -> Iterator[dict[str, Any]]:
    for code in codes:
        try:
            entered = f"{code.phone_tail}|{unseal(secret_key, code.sealed or b'')}"
        except SealError:  # with another secret key it opens nothing online either
            log.warning("code under another seal", parcel_id=code.parcel_id)
            continue
        yield {
            "parcel_id": code.parcel_id,
            "compartment": code.number,
            "verifier": _base64url(hmac.digest(key, entered.encode(), hashlib.sha256)),
            "not_after": code.expires_at.isoformat() if code.expires_at else None,
            "kind": code.kind,
        }


@lru_cache(maxsize=4)
def _signing_key(secret_key: str) -> OKPKey:
    """Derived, so that every process of an installation signs with the same one."""
    seed = derived_key(secret_key, PURPOSE)
    return OKPKey.import_key(Ed25519PrivateKey.from_private_bytes(seed))


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
