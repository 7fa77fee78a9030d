"""Who pays by phone: an order, the provider, and what it tells us, or forgets to tell."""

from sqlalchemy.orm import Session

from channels import orders, receipts, sweeps
from channels.provider import Seen
from channels.providers import WECHAT, provider
from core import clock
from core.app import settings
from core.db import atomic
from core.errors import Problem
from ledger import payments
from simulation.tenpay import APPID, MCHID, Tenpay, notification, signed
from simulation.town import Somebody
from simulation.world import World

BY_PHONE = 0.7
NEVER_TOLD = 0.01


class Phones:
    """WeChat in people's hands."""

    def __init__(self, world: World, tenpay: Tenpay) -> None:
        self.world = world
        self.tenpay = tenpay

    def pay(self, source: str, source_id: int, payer: Somebody) -> bool:
        """Scan a code and pay what is due; whether they did it this way."""
        if not self.world.chance(BY_PHONE):
            return False
        number = self.world.attempt("order", _order, source, source_id, payer)
        if isinstance(number, Problem):
            return False
        self.tenpay.now = self.world.now
        sweeps.place_orders()
        if self.tenpay.orders[number]["trade_state"] == "SUCCESS":
            self.watch()  # paid before, and we were not told
        else:
            self._scan(number)
        return True

    def watch(self) -> None:
        """Ask the provider about what it did not tell of."""
        self.tenpay.now = self.world.now
        sweeps.watch_orders()

    def _scan(self, number: str) -> None:
        paid = self.tenpay.pays(number)
        if self.world.chance(NEVER_TOLD):
            return
        body = notification("TRANSACTION.SUCCESS", {"mchid": MCHID, "appid": APPID} | paid)
        now = clock.now()
        seen = provider(settings(), WECHAT).read_notification(signed(body, now), body.encode(), now)
        if isinstance(seen, Seen):
            atomic(receipts.received, WECHAT, seen, now)
        self.world.tally.done["pay by phone"] += 1


def _order(session: Session, source: str, source_id: int, payer: Somebody) -> str:
    owed = payments.due_now(session, source, source_id, payer)
    return orders.ask(session, owed, payer, None).out_trade_no
