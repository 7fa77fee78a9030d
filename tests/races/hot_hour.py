"""Sixty-four clients who all want one hour, each with a script of its own from a fixed seed."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from threading import Lock
from time import monotonic
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from identity import people
from parking import lots, rights
from parking.plates import Plate
from sharing import granting
from tests.cast import NOON, PASSWORD, Community

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
HOT = NOON + 2 * HOUR
"""Two in the afternoon: the hour that everybody wants."""

CLIENTS, HOUSEHOLDS, OWNERS = 64, 32, 8
COMMUNITY, RESERVABLE, PRIVATE = 16, 4, 8
EVERY_DAY = [1, 2, 3, 4, 5, 6, 7]
OPEN = 3

REFUSALS = frozenset(
    {
        (409, "no-space-free"),
        (409, "plate-elsewhere"),
        (409, "household-open-quota"),
        (409, "household-month-quota"),
        (409, "not-changeable"),
        (409, "not-cancellable"),
        (409, "already-waiting"),
        (409, "not-waiting"),
        (409, "active-bookings"),
        (409, "space-reserved"),
        (409, "nothing-due"),
        (404, "not-found"),
        (422, "invalid"),
    }
)
"""Every answer but success that a client may get here."""


@dataclass
class Log:
    """What was asked and answered, by whom, from when until when."""

    answers: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    spans: list[tuple[float, float]] = field(default_factory=list)
    bad: list[Any] = field(default_factory=list)
    permits: list[int] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def note(self, what: str, began: float, answer: TestResponse) -> dict[str, Any]:
        """Count one answer; its JSON."""
        said: Any = answer.get_json(silent=True) or {}
        code = said.get("code", "") if isinstance(said, dict) else ""
        if isinstance(said, dict) and "decision" in said:
            code = said["decision"]["reason"]
        with self.lock:
            self.answers[what, answer.status_code, code] += 1
            self.spans.append((began, monotonic()))
            if answer.status_code >= 300 and (answer.status_code, code) not in REFUSALS:
                self.bad.append((what, answer.status_code, said))
        found: dict[str, Any] = said if isinstance(said, dict) else {}
        return found

    def together(self) -> int:
        """The most requests that were under way at one instant."""
        steps = sorted([(a, 1) for a, _ in self.spans] + [(b, -1) for _, b in self.spans])
        now = most = 0
        for _, step in steps:
            now += step
            most = max(most, now)
        return most

    def oldest_permit(self) -> int | None:
        """A permit that the desk gave, to be ended by whoever asks first."""
        with self.lock:
            return self.permits.pop(0) if self.permits else None

    def done(self, what: str) -> int:
        """How often something was asked with success."""
        return sum(
            n for (asked, status, _), n in self.answers.items() if asked == what and status < 300
        )


@dataclass
class Somebody:
    """One client: a resident with a car, who perhaps owns a space; what is remembered of it."""

    number: int
    community: Community
    log: Log
    headers: dict[str, str] = field(default_factory=dict)
    desk: dict[str, str] = field(default_factory=dict)
    now: datetime = NOON
    bookings: list[int] = field(default_factory=list)
    entries: list[int] = field(default_factory=list)
    windows: list[int] = field(default_factory=list)
    inside: set[str] = field(default_factory=set)
    rng: Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = Random(self.number)  # noqa: S311 - the same script every time, no secret

    @property
    def name(self) -> str:
        """The person: two clients of every household."""
        return f"crowd{self.number % HOUSEHOLDS}"

    @property
    def plate(self) -> str:
        """Its own car."""
        return f"川K{self.number:05d}"

    @property
    def stranger(self) -> str:
        """A visitor who comes without asking anybody."""
        return f"川W{self.number:05d}"

    def script(self, doings: str, steps: int) -> Callable[[FlaskClient], None]:
        """A call that does that many things, drawn from words as often as they are named."""

        def act(client: FlaskClient) -> None:
            for _ in range(steps):
                getattr(self, "do_" + self.rng.choice(doings.split()))(client)

        return act

    def ask(
        self,
        client: FlaskClient,
        what: str,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """One request, noted."""
        began = monotonic()
        once = {"Idempotency-Key": str(UUID(int=self.rng.getrandbits(128)))}
        answer = client.open(
            f"/api/v1/{path}", method=method, json=body, headers=(headers or self.headers) | once
        )
        return self.log.note(what, began, answer)

    def span(self) -> dict[str, str]:
        """The hot hour, or a time that touches it."""
        begins = max(HOT + self.rng.choice((-60, -30, 0, 0, 0, 0, 15)) * MINUTE, self.now)
        ends = max(HOT + self.rng.choice((60, 60, 60, 75, 120)) * MINUTE, begins + 30 * MINUTE)
        return {"starts_at": begins.isoformat(), "ends_at": ends.isoformat()}

    def do_book(self, client: FlaskClient) -> None:
        """Book, mostly for the own car."""
        plate = self.plate if self.rng.random() < 0.8 else self.stranger
        wish = {"prefer": self.rng.choice(("private", "community"))}
        body = {"lot": "B2", "plate": plate, "preferences": wish} | self.span()
        said = self.ask(client, "book", "POST", "bookings", body)
        if "space" in said:
            self.bookings.append(said["id"])

    def do_cancel(self, client: FlaskClient) -> None:
        """Cancel a booking."""
        if self.bookings:
            booking = self.bookings.pop(self.rng.randrange(len(self.bookings)))
            self.ask(client, "cancel", "DELETE", f"bookings/{booking}")

    def do_change(self, client: FlaskClient) -> None:
        """Extend or shorten."""
        if self.bookings:
            ends = HOT + self.rng.choice((45, 60, 75, 90, 120, 150)) * MINUTE
            path = f"bookings/{self.rng.choice(self.bookings)}"
            self.ask(client, "change", "PATCH", path, {"ends_at": ends.isoformat()})

    def do_wait(self, client: FlaskClient) -> None:
        """Join the waitlist, or leave it."""
        if self.entries and self.rng.random() < 0.3:
            self.ask(client, "unwait", "DELETE", f"waitlist/{self.entries.pop()}")
            return
        said = self.ask(
            client, "wait", "POST", "waitlist", {"lot": "B2", "plate": self.plate} | self.span()
        )
        if "place" in said:
            self.entries.append(said["id"])

    def do_window(self, client: FlaskClient) -> None:
        """An owner edits, withdraws or offers again."""
        path = f"spaces/P-{self.number % OWNERS + 1:03d}/sharing-windows"
        owner = self.desk
        if self.windows and self.rng.random() < 0.6:
            if self.rng.random() < 0.5:
                self.ask(client, "withdraw", "DELETE", f"{path}/{self.windows.pop()}", None, owner)
            else:
                until = self.rng.choice(("15:00", "16:00", "20:00"))
                self.ask(
                    client, "edit", "PATCH", f"{path}/{self.windows[-1]}", {"to": until}, owner
                )
            return
        body = {
            "weekdays": EVERY_DAY,
            "from": "00:00",
            "valid_from": "2026-11-01",
            "to": self.rng.choice(("16:00", "20:00", "23:00")),
        }
        said = self.ask(client, "offer", "POST", path, body, owner)
        if "id" in said:
            self.windows.append(said["id"])

    def do_permit(self, client: FlaskClient) -> None:
        """The desk gives a space to somebody, or takes it back."""
        old = self.log.oldest_permit() if self.rng.random() < 0.4 else None
        if old is not None:
            self.ask(client, "end permit", "DELETE", f"permits/{old}", None, self.desk)
            return
        body = {
            "lot": "B2",
            "kind": "monthly",
            "plate": f"川M{self.number:05d}",
            "space": f"C-{self.rng.randrange(RESERVABLE) + 1:03d}",
            "starts_at": (self.now + self.rng.choice((0, 60, 180)) * MINUTE).isoformat(),
            "ends_at": (NOON + 30 * 24 * HOUR).isoformat(),
        }
        said = self.ask(client, "permit", "POST", "permits", body, self.desk)
        if "id" in said:
            self.log.permits.append(said["id"])

    def do_enter(self, client: FlaskClient) -> None:
        """The own car comes: booked or not."""
        if self.plate not in self.inside or self.rng.random() < 0.2:
            self.pass_gate(client, "entry", self.plate)

    def do_leave(self, client: FlaskClient) -> None:
        """The own car goes; the balance pays."""
        if self.plate in self.inside or self.rng.random() < 0.2:
            self.pass_gate(client, "exit", self.plate)

    def do_walk_in(self, client: FlaskClient) -> None:
        """A stranger comes, or a car of the permits that share their places."""
        plates = (self.stranger, f"川G{self.number % 6:05d}", f"川M{self.number:05d}")
        self.pass_gate(client, "entry", self.rng.choice(plates))

    def do_stranger_leaves(self, client: FlaskClient) -> None:
        """A stranger pays at the till and goes."""
        if self.stranger not in self.inside:
            return
        said = self.pass_gate(client, "exit", self.stranger)
        if said["decision"]["reason"] == "payment-due":
            till = {"stay_id": said["decision"]["stay_id"], "method": "cash"}
            self.ask(client, "pay", "POST", "payments", till, self.desk)
            self.pass_gate(client, "exit", self.stranger)

    def pass_gate(self, client: FlaskClient, lane: str, plate: str) -> dict[str, Any]:
        """A camera sees a plate."""
        body = {
            "event_id": str(UUID(int=self.rng.getrandbits(128))),
            "type": "gate.request",
            "occurred_at": self.now.isoformat(),
            "data": {"plate": plate, "plate_color": "blue"},
        }
        headers = self.community.as_device(lane)
        said = self.ask(client, lane, "POST", "device-events", body, headers)
        if said["decision"]["action"] == "open":
            (self.inside.add if lane == "entry" else self.inside.discard)(plate)
        return said


def garage(session: Session) -> None:
    """Sixteen community spaces and eight private ones; permits that share places; people."""
    lot = lots.lot_by_code(session, "B2")
    homes = []
    for n in range(HOUSEHOLDS):
        home = people.create_household(session, f"7-{n:03d}")
        people.create_person(session, f"crowd{n}", PASSWORD, "resident", household=home)
        homes.append(home)
    for n in range(CLIENTS):
        rights.register_vehicle(session, homes[n % HOUSEHOLDS].id, Plate(f"川K{n:05d}", "blue"))
    lots.add_spaces(session, lot, [f"C-{n:03d}" for n in range(1, COMMUNITY + 1)])
    owners = {f"P-{n:03d}": homes[n - 1].id for n in range(1, PRIVATE + 1)}
    lots.add_spaces(session, lot, list(owners), owners)
    for first, places in ((0, 1), (3, 2)):
        granting.grant_permit(
            session,
            lot="B2",
            kind="staff",
            plates=[Plate(f"川G{first + n:05d}", "blue") for n in range(3)],
            starts_at=NOON - HOUR,
            ends_at=NOON + 99 * HOUR,
            places=places,
        )
