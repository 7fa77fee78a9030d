"""Sweeps that speak with payment providers: each call stands between two transactions.

Claim, call, write down: whoever dies after the call leaves a row whose lease runs out, and the
provider knows the repeat by our number.
"""

import structlog

from channels import orders, receipts, reconciliation, refunds
from channels.provider import (
    AlreadyPaidError,
    Provider,
    ProviderError,
    RefundSeen,
    RefusedNotificationError,
)
from channels.providers import configured
from core import clock
from core.app import settings
from core.db import atomic

log = structlog.get_logger()


def place_orders() -> int:
    """Let providers know of new orders; how many they took."""
    done = 0
    providers = configured(settings())
    while providers and (claimed := atomic(orders.claim_to_place, clock.now())):
        order, wanted = claimed
        try:
            answer = providers[order.provider].place(wanted)
        except AlreadyPaidError:
            atomic(orders.paid_before, order.id, clock.now())
        except ProviderError as error:
            atomic(orders.stumbled, order.id, str(error))
            log.warning("order not placed", order=order.id, error=str(error))
        else:
            atomic(orders.placed, order.id, answer, clock.now())
            done += 1
    return done


def watch_orders() -> int:
    """Ask about orders that stay unpaid, and close those that nobody wants; how many ended."""
    done = 0
    providers = configured(settings())
    while providers and (order := atomic(orders.claim_to_watch, clock.now())):
        try:
            done += _watch(providers[order.provider], order)
        except (ProviderError, RefusedNotificationError) as error:
            atomic(orders.stumbled, order.id, str(error))
            log.warning("order not watched", order=order.id, error=str(error))
    return done


def _watch(provider: Provider, order: orders.Claimed) -> bool:
    """Whether the order came to its end, paid or not."""
    seen = provider.query(order.out_trade_no)
    state = seen.state if seen else "unpaid"
    if seen and state == "paid":
        return atomic(receipts.received, order.provider, seen, clock.now())
    if state == "unpaid":
        if not order.unwanted:
            return False
        provider.close(order.out_trade_no)
    atomic(orders.ended, order.id, failed=state == "failed")
    return True


def send_refunds() -> int:
    """Ask providers to give money back, and how it went; how many rows learned something."""
    done = 0
    providers = configured(settings())
    while providers and (refund := atomic(refunds.claim, clock.now())):
        try:
            told = _refunded(providers[refund.provider], refund)
            done += atomic(refunds.seen, refund.provider, told, clock.now())
        except (ProviderError, RefusedNotificationError) as error:
            atomic(refunds.stumbled, refund.id, str(error))
            log.warning("not refunded", refund=refund.id, error=str(error))
    return done


def _refunded(provider: Provider, refund: refunds.Claimed) -> RefundSeen:
    told = provider.query_refund(refund.wanted.out_refund_no) if refund.asked else None
    return told or provider.refund(refund.wanted)


def reconcile() -> int:
    """Lay our rows beside the bills again, for what came since; how many differences are open."""
    return atomic(reconciliation.lay_side_by_side, clock.now())
