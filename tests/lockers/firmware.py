"""A cabinet's firmware as its maker writes it from docs/offline-list.md, knowing us by HTTP alone.

It registers its key, keeps the offline list, opens by it while the network is down, and remembers
what it will report. No code of ours is used here, only a JOSE library.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask.testing import FlaskClient
from joserfc import jwe, jws
from joserfc.jwk import OKPKey


class RefusedListError(Exception):
    """The list is not for this cabinet, not from the community, or older than the one held."""


@dataclass
class Firmware:
    """One cabinet: its token, its key, the list it holds, and what it has to tell."""

    client: FlaskClient
    code: str
    token: str
    key: OKPKey = field(default_factory=lambda: OKPKey.generate_key("X25519"))
    community: OKPKey | None = None
    held: dict[str, Any] | None = None
    etag: str | None = None
    touched: set[int] = field(default_factory=set)
    misses: dict[str, int] = field(default_factory=dict)
    locked: dict[str, datetime] = field(default_factory=dict)
    outbox: list[dict[str, Any]] = field(default_factory=list)
    said: int = 0

    @property
    def headers(self) -> dict[str, str]:
        """How the cabinet says who it is."""
        return {"Authorization": f"Bearer {self.token}"}

    def install(self) -> None:
        """What is done once, when the cabinet is set up: keys are exchanged."""
        published = self.client.get("/api/v1/cabinets/signing-key").get_json()
        self.community = OKPKey.import_key({n: published[n] for n in ("kty", "crv", "x")})
        public = self.key.as_dict(private=False)
        answer = self.client.put("/api/v1/device/public-key", json=public, headers=self.headers)
        assert answer.status_code == 200, answer.get_json()

    def fetch(self) -> int:
        """Report what is left to tell, then ask for a list if there is a newer one; the status."""
        for message in self.outbox:
            self.report(message)
        self.outbox = []
        known = {"If-None-Match": self.etag} if self.etag else {}
        answer = self.client.get("/api/v1/device/offline-list", headers=self.headers | known)
        if answer.status_code == 200:
            self.take(answer.get_data(as_text=True))
            self.etag = answer.headers["ETag"]
        return answer.status_code

    def take(self, sealed: str) -> None:
        """Decrypt a list, make sure of it, and hold it from now on."""
        content = self.read(sealed)
        if self.held and content["sequence"] < self.held["sequence"]:
            raise RefusedListError("older than the one held")
        self.held, self.touched = content, set()

    def read(self, sealed: str) -> dict[str, Any]:
        """What a list says, if it is meant for this cabinet and signed by the community."""
        algorithms = ["ECDH-ES+A256KW", "A256GCM"]
        envelope = jwe.decrypt_compact(sealed, self.key, algorithms=algorithms)
        assert envelope.plaintext is not None
        signed = jws.deserialize_compact(envelope.plaintext, self.community, algorithms=["Ed25519"])
        content: dict[str, Any] = json.loads(signed.payload)
        if signed.headers().get("typ") != "huilin-offline-list" or content["version"] != 1:
            raise RefusedListError("not a list of this kind")
        if content["cabinet"] != self.code:
            raise RefusedListError("another cabinet's list")
        return content

    def moved(self, compartment: int) -> None:
        """Something was put in or taken out: what the list says of this door is over."""
        self.touched.add(compartment)

    def enter(self, tail: str, code: str, now: datetime) -> int | None:
        """Somebody enters a phone tail and a code without a network; the door that opens."""
        self.remember("locker.pickup_requested", now, phone_tail=tail, code=code)
        if now < self.locked.get(tail, now):
            return None
        found = self._found(f"{tail}|{code}", now)
        if found is None:
            self._missed(tail, now)
            return None
        number: int = found["compartment"]
        self.moved(number)
        self.misses.pop(tail, None)
        self.remember("locker.parcel_collected", now + timedelta(seconds=40), compartment=number)
        return number

    def _found(self, entered: str, now: datetime) -> dict[str, Any] | None:
        """Compare with every entry, each in constant time, and stop at none."""
        if self.held is None or now >= datetime.fromisoformat(self.held["valid_until"]):
            return None
        digest = hmac.digest(_bytes(self.held["key"]), entered.encode(), hashlib.sha256)
        same = [e for e in self.held["codes"] if hmac.compare_digest(_bytes(e["verifier"]), digest)]
        open_now = [
            entry
            for entry in same
            if entry["compartment"] not in self.touched
            and (entry["not_after"] is None or now < datetime.fromisoformat(entry["not_after"]))
        ]
        return open_now[0] if open_now else None

    def _missed(self, tail: str, now: datetime) -> None:
        if self.held is None:
            return
        self.misses[tail] = self.misses.get(tail, 0) + 1
        if self.misses[tail] >= self.held["limits"]["code_failures"]:
            lasts = timedelta(minutes=self.held["limits"]["code_lock_minutes"])
            self.locked[tail] = now + lasts
            self.misses.pop(tail)

    def remember(self, type_: str, at: datetime, **data: Any) -> None:
        self.said += 1
        self.outbox.append(
            {
                "event_id": f"{self.code}-offline-{self.said}",
                "type": type_,
                "occurred_at": at.isoformat(),
                "data": data | {"replayed": True},
            }
        )

    def report(self, message: dict[str, Any]) -> dict[str, Any]:
        """Tell something that happened while the network was down."""
        answer = self.client.post("/api/v1/device-events", json=message, headers=self.headers)
        assert answer.status_code == 200, answer.get_json()
        told: dict[str, Any] = answer.get_json()
        return told


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
