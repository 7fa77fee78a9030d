"""Where people pay through WeChat: asking, sweeping, being told, and looking at what became."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from ledger import proof
from simulation.tenpay import APPID, MCHID, Tenpay, notification, signed
from tests.cast import NOON, Community
from tests.ledger.till import ask, book, fee, settle_all


@dataclass
class Counter:
    """The community, its database and the provider."""

    community: Community
    session: Session
    tenpay: Tenpay
    sent: int = 0

    def owes(self, booking: int, amount_fen: int = 800, name: str = "ana") -> int:
        """Somebody's household owes for a booking; the charge's number."""
        household_id = self.community.households[name]
        book(
            self.session,
            fee(booking, amount_fen, source="booking", household_id=household_id),
        )
        (number,) = ask(self.session, "SELECT max(id) FROM charge")[0]
        assert isinstance(number, int)
        return number

    def post(self, path: str, body: Mapping[str, Any], name: str, at: datetime) -> TestResponse:
        """A request of its own key."""
        self.sent += 1
        with clock.at(at):
            return self.community.client.post(
                f"/api/v1/{path}",
                json=body,
                headers=self.community.as_person(name) | {"Idempotency-Key": f"{name}-{self.sent}"},
            )

    def get(self, path: str, name: str, at: datetime = NOON) -> TestResponse:
        """A look."""
        with clock.at(at):
            return self.community.client.get(
                f"/api/v1/{path}", headers=self.community.as_person(name)
            )

    def orders(self, name: str = "ana", at: datetime = NOON, **body: Any) -> str:
        """Somebody asks to pay through WeChat; our number of the order."""
        answer = self.post("payments", {"method": "wechat"} | body, name, at)
        assert answer.status_code == 201, answer.get_json()
        said = answer.get_json()
        assert said["status"] == "pending"
        number = said["out_trade_no"]
        assert isinstance(number, str)
        return number

    def order(self, number: str, name: str = "ana", at: datetime = NOON) -> dict[str, Any]:
        """The order as they see it."""
        found: dict[str, Any] = self.get(f"payment-orders/{number}", name, at).get_json()
        return found

    def told(
        self,
        resource: Mapping[str, Any],
        event: str = "TRANSACTION.SUCCESS",
        at: datetime = NOON,
    ) -> TestResponse:
        """WeChat tells us something, truly signed."""
        body = notification(event, {"mchid": MCHID, "appid": APPID} | dict(resource))
        return self.told_raw(body, signed(body, at), at)

    def told_raw(self, body: str, headers: Mapping[str, str], at: datetime = NOON) -> TestResponse:
        """Somebody posts to where WeChat does."""
        with clock.at(at):
            return self.community.client.post(
                "/api/v1/channels/wechat/notify",
                data=body.encode(),
                headers={"Content-Type": "application/json", **headers},
            )

    def payments(self) -> list[tuple[Any, ...]]:
        """(method, fen) of every payment."""
        return list(ask(self.session, "SELECT method, amount_fen FROM payment ORDER BY id"))

    def balances(self) -> dict[str, int]:
        """What stands in every account after settlement; the books are proved on the way."""
        settle_all()
        found = proof.verify(self.session)
        self.session.rollback()
        assert found.ok, found.checks
        sql = "SELECT account, sum(amount_fen)::bigint FROM posting GROUP BY 1"
        return {account: fen for account, fen in ask(self.session, sql) if fen}
