"""The office: who asks for money out and back, and what the books say of it afterwards."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from ledger import proof
from tests.cast import Community
from tests.ledger.till import ask, book, fee, settle_all

Ask = tuple[str, str, Mapping[str, Any]]
"""Who asks, at which path, for what."""


@dataclass
class Office:
    """The community and its database."""

    community: Community
    session: Session
    sent: int = 0

    def post(
        self, name: str, path: str, body: Mapping[str, Any] | None = None, key: str | None = None
    ) -> TestResponse:
        """Somebody asks for something, under a key of its own unless given."""
        self.sent += 1
        return self.community.client.post(
            f"/api/v1/{path}",
            json=dict(body or {}),
            headers=self.community.as_person(name) | {"Idempotency-Key": key or f"k-{self.sent}"},
        )

    def did(self, name: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Somebody asks for something and gets it."""
        answer = self.post(name, path, body)
        assert answer.status_code in {200, 201}, answer.get_json()
        said: dict[str, Any] = answer.get_json()
        return said

    def refused(
        self, name: str, path: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, str]:
        """Somebody asks in vain: status and code."""
        answer = self.post(name, path, body)
        return answer.status_code, answer.get_json()["code"]

    def get(self, name: str, path: str, **query: Any) -> TestResponse:
        """Somebody looks."""
        return self.community.client.get(
            f"/api/v1/{path}", query_string=query, headers=self.community.as_person(name)
        )

    def at_once(self, asks: Sequence[Ask]) -> list[int]:
        """All ask at one moment, each in a thread; the statuses they got, sorted."""
        start = Barrier(len(asks))

        def sender(number: int) -> Callable[[], int]:
            name, path, body = asks[number]
            headers = self.community.as_person(name) | {"Idempotency-Key": f"once-{number}"}

            def send() -> int:
                start.wait()
                client = self.community.client.application.test_client()
                return client.post(f"/api/v1/{path}", json=body, headers=headers).status_code

            return send

        with ThreadPoolExecutor(len(asks)) as pool:
            return sorted(pool.map(lambda send: send(), [sender(n) for n in range(len(asks))]))

    def charged(self, booking: int, amount_fen: int = 800, **changes: Any) -> int:
        """A fee that Ana's household owes for a booking, unless changed; the charge's number."""
        ana = self.community.households["ana"]
        facts = {"source": "booking", "household_id": ana} | changes
        book(self.session, fee(booking, amount_fen, **facts))
        (number,) = ask(self.session, "SELECT max(id) FROM charge")[0]
        assert isinstance(number, int)
        return number

    def paid(self, booking: int, amount_fen: int = 800, **changes: Any) -> int:
        """Such a fee, paid in cash at once."""
        charge = self.charged(booking, amount_fen, **changes)
        self.did("olga", "payments", {"charge_id": charge, "method": "cash"})
        return charge

    def deposited(self, amount_fen: int, book: str = "owners") -> dict[str, Any]:
        """Fan and Fay bring cash of a book to the bank; not yet settled."""
        wanted = {"book": book, "amount_fen": amount_fen}
        path = f"disbursements/{self.did('fan', 'disbursements/deposits', wanted)['id']}"
        self.did("fay", f"{path}/approve")
        return self.did("fan", f"{path}/pay", {"bank_reference": "存款回单"})

    def balances(self, *accounts: str) -> dict[str, int]:
        """What stands in accounts (all that are not square) once everything is settled, proved."""
        settle_all()
        found = proof.verify(self.session)
        self.session.rollback()
        assert found.ok, found.checks
        sql = "SELECT account, sum(amount_fen)::bigint FROM posting GROUP BY 1"
        said = {account: fen for account, fen in ask(self.session, sql) if fen}
        return {account: said.get(account, 0) for account in accounts} if accounts else said

    def broken(self, table: str, sql: str) -> dict[str, str]:
        """What the proof finds when the owner writes past a table's guards; it is undone."""
        self.session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        self.session.execute(text(sql))
        checks = proof.verify(self.session).checks
        self.session.rollback()
        return {name: check.detail for name, check in checks.items() if not check.ok}

    def denied(self, sql: str) -> str:
        """What the database says to its own owner who tries this."""
        with pytest.raises(DBAPIError) as caught:
            self._do(sql)
        self.session.rollback()
        return str(caught.value.orig)

    def _do(self, sql: str) -> None:
        self.session.execute(text(sql))
        self.session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
