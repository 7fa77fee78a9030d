"""A bureau for the tests of publications: November happens, and two people close it.

Five neighbours and a walk-in park; Fan asks to close, Ada approves. All through HTTP.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from core.db import atomic
from identity import people
from ledger import seals
from ledger.charges import NewCharge
from ledger.payments import NewPayment
from tests.cast import NOON, Community
from tests.ledger.till import ask, book, fee, settle_all

DECEMBER = datetime(2026, 12, 3, 2, 0, tzinfo=UTC)
"""When the bureau closes November, a Thursday morning."""

MONTH = "2026-11"


@dataclass
class Bureau:
    """The community, its database and how to speak as anybody."""

    community: Community
    session: Session
    sent: int = 0

    def get(self, path: str, name: str | None = None, at: datetime = DECEMBER) -> TestResponse:
        """A look; without a name, anybody's."""
        with clock.at(at):
            headers = self.community.as_person(name) if name else {}
            return self.community.client.get(f"/api/v1/{path}", headers=headers)

    def post(
        self, path: str, name: str, body: Mapping[str, Any] | None = None, at: datetime = DECEMBER
    ) -> TestResponse:
        """A request of its own key."""
        self.sent += 1
        with clock.at(at):
            headers = self.community.as_person(name) | {"Idempotency-Key": f"{name}-{self.sent}"}
            return self.community.client.post(f"/api/v1/{path}", json=body or {}, headers=headers)

    def does(self, path: str, name: str, body: Mapping[str, Any] | None = None) -> Any:
        """A request that has to succeed; its answer."""
        answer = self.post(path, name, body)
        assert answer.status_code in {200, 201}, answer.get_json()
        return answer.get_json()

    def sees(self, path: str, name: str | None = None) -> Any:
        """A look that has to succeed."""
        answer = self.get(path, name)
        assert answer.status_code == 200, answer.get_json()
        return answer.get_json()

    def books(self, *rows: NewCharge | NewPayment, at: datetime = NOON) -> None:
        """Things happen, are settled, and sealed in time."""
        with clock.at(at):
            book(self.session, *rows)
        self.settles(at)

    def settles(self, at: datetime = DECEMBER) -> None:
        """Whatever waits is settled and sealed."""
        with clock.at(at):
            settle_all()
        self.seals(at + timedelta(minutes=1))

    def seals(self, at: datetime = DECEMBER) -> None:
        """Entries get their leaves, and days that are over their seals."""
        with clock.at(at):
            while atomic(seals.seal_batch, clock.now()):
                pass
            atomic(seals.close_days, clock.now())

    def closes(self, month: str = MONTH) -> Any:
        """Fan asks, Ada approves."""
        self.does(f"ledger/periods/{month}/close", "fan")
        return self.does(f"ledger/periods/{month}/approve", "ada")

    def reopens(self, month: str = MONTH) -> Any:
        """Fan asks, Ada approves."""
        self.does(f"ledger/periods/{month}/reopen", "fan", {"reason": "漏记了一笔"})
        return self.does(f"ledger/periods/{month}/reopen/approve", "ada")

    def pack(self, query: str = "") -> bytes:
        """The pack of the month."""
        answer = self.get(f"publications/{MONTH}/pack.zip{query}")
        assert answer.status_code == 200, answer.get_json()
        return answer.get_data()

    def count(self, sql: str) -> int:
        """One number of the database."""
        [(number,)] = ask(self.session, sql)
        return int(number)


def november(bureau: Bureau) -> None:
    """Six households and a walk-in park on three days; all pay cash but the last."""
    session, olga = bureau.session, bureau.count("SELECT id FROM person WHERE username = 'olga'")
    homes = [people.create_household(session, f"3-{n}0{n}").id for n in range(1, 5)]
    session.commit()
    homes += bureau.community.households.values()
    for number, home in enumerate([*homes, None], start=1):
        at = NOON + timedelta(days=number % 3)
        owed = fee(number, 800 + number, source="parcel", household_id=home, occurred_at=at)
        paid = NewPayment(
            source="parcel",
            source_id=number,
            method="cash",
            amount_fen=800 + number,
            household_id=home,
            occurred_at=at,
            received_by=olga,
        )
        bureau.books(owed, paid, at=at)


def files(pack: bytes) -> dict[str, str]:
    """What is in a pack."""
    with zipfile.ZipFile(io.BytesIO(pack)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def figures(pack: bytes) -> dict[str, Any]:
    """The pack's figures."""
    found: dict[str, Any] = json.loads(files(pack)["figures.json"])
    return found
