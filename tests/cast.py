"""A named cast and builders with defaults, for tests that tell stories.

Ana lives here (household 1-101, plate 川A12345), Bo lives next door (2-202, 川B22222); Olga
operates, Fan keeps the books, Ava audits, Ada administers. Lot B2 has two lanes and takes
walk-ins unless told otherwise.
"""

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from devices import registry
from identity import people, sessions
from ledger import split_rules
from parking import lots, rights
from parking.models import Lot
from parking.plates import Plate
from tariffs.tariff import CapPer, Rules

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
"""Noon in Chengdu, a Monday."""

LASTS = timedelta(minutes=10)
"""How long a sign-in of the cast is used again; access tokens live a little longer."""

PASSWORD = "correct horse battery"

RULES = Rules(
    free_minutes=15,
    free_deducted=False,
    first_minutes=60,
    first_fen=300,
    unit_minutes=30,
    unit_fen=100,
    cap_fen=1500,
    cap_per=CapPer.CALENDAR_DAY,
    leave_within_minutes=15,
)

PEOPLE = {
    "ana": ("resident", "1-101", Plate("川A12345", "blue")),
    "bo": ("resident", "2-202", Plate("川B22222", "blue")),
    "olga": ("operator", None, None),
    "fan": ("finance", None, None),
    "ava": ("auditor", None, None),
    "ada": ("admin", None, None),
}


@dataclass
class Community:
    """What was built: ids and secrets, and how to speak as anybody."""

    client: FlaskClient
    tokens: dict[str, str] = field(default_factory=dict)
    serials: dict[str, str] = field(default_factory=dict)
    households: dict[str, int] = field(default_factory=dict)
    signed_in: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    sent: int = 0

    def as_person(self, name: str) -> dict[str, str]:
        """Headers of a person, signed in by the clock's time."""
        now = clock.now()
        since, token = self.signed_in.get(name, (now - LASTS, ""))
        if not timedelta(0) <= now - since < LASTS:
            secret = self.client.application.config["SETTINGS"].secret_key
            pair = atomic(sessions.sign_in, secret, name, PASSWORD)
            assert pair is not None
            token = pair.access_token
            self.signed_in[name] = (now, token)
        return {"Authorization": f"Bearer {token}"}

    def as_device(self, name: str) -> dict[str, str]:
        """Headers of a device."""
        return {"Authorization": f"Bearer {self.tokens[name]}"}

    def knock(
        self,
        device: str,
        plate: str,
        at: datetime,
        *,
        color: str = "blue",
        event_id: str | None = None,
        now: datetime | None = None,
        **data: Any,
    ) -> dict[str, Any]:
        """A camera sees a plate at `at`, heard by us at `now` (at once, unless given)."""
        self.sent += 1
        body = {
            "event_id": event_id or f"{device}-{self.sent}",
            "type": "gate.request",
            "occurred_at": at.isoformat(),
            "data": {"plate": plate, "plate_color": color, "confidence": 0.97, **data},
        }
        with clock.at(now or at):
            answer = self.client.post(
                "/api/v1/device-events", json=body, headers=self.as_device(device)
            )
        assert answer.status_code == 200, answer.get_json()
        told: dict[str, Any] = answer.get_json()
        return told

    def stays(self, plate: str | None = None, as_name: str = "olga") -> list[dict[str, Any]]:
        """The stays an operator (or somebody else) sees, oldest first."""
        query = {"page_size": 100} | ({"plate": plate} if plate else {})
        answer = self.client.get(
            "/api/v1/stays", query_string=query, headers=self.as_person(as_name)
        )
        found: list[dict[str, Any]] = answer.get_json()
        return found[::-1]


def found_community(app: Flask, *, spaces: int = 5, takes_walk_ins: bool = True) -> Community:
    """Build the cast and the garage in an empty database."""
    community = Community(app.test_client())
    atomic(_build, community, spaces, takes_walk_ins)
    return community


def _build(session: Session, community: Community, spaces: int, takes_walk_ins: bool) -> None:
    for name, (role, code, plate) in PEOPLE.items():
        household = people.create_household(session, code) if code else None
        people.create_person(session, name, PASSWORD, role, household=household)
        if household and plate:
            community.households[name] = household.id
            rights.register_vehicle(session, household.id, plate)
    lot = lots.add_lot(session, code="B2", name="车库", kind="car", takes_walk_ins=takes_walk_ins)
    lots.add_spaces(session, lot, [f"B2-{n:03d}" for n in range(1, spaces + 1)])
    lots.add_tariff(session, lot, asdict(RULES), NOON - timedelta(days=400))
    add_gate(session, community, lot)
    split(session, "parking")
    split(session, "parking", ownership="private", weights=(20, 10, 70))


def split(
    session: Session,
    income: str,
    *,
    ownership: str = "community",
    weights: tuple[int, int, int] = (70, 30, 0),
) -> None:
    """A rule since long: the weights of micro-fund, property company and owner."""
    micro_fund, company, owner = weights
    with clock.at(NOON):
        split_rules.add(
            session,
            income=income,
            ownership=ownership,
            shares={"micro_fund": micro_fund, "property": company, "owner": owner},
            valid_from=(NOON - timedelta(days=400)).date(),
            decided_by="test",
        )


def add_gate(session: Session, community: Community, lot: Lot, suffix: str = "") -> None:
    """An entry and an exit lane with a camera each; the entry has a display."""
    for direction, display in (("entry", "led-485"), ("exit", "none")):
        name = direction + suffix
        lots.add_lane(session, lot, code=name, name=name, direction=direction)
        issued = registry.register(
            session, code=name, serial=f"serial-{name}", kind="camera", lane=name, display=display
        )
        community.tokens[name] = issued.token
        community.serials[name] = issued.device.serial
