"""Asking a provider to collect: the order's row is the queue, its money comes in exactly once.

Who works on an order claims it for a while, calls the provider outside of any transaction, and
writes down what it said. Whoever dies in between leaves a row that is claimed again; the provider
knows a repeat by our number, so nothing is collected twice.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from channels.models import CREATED, PENDING, PaymentOrder
from channels.provider import Placed, Wanted
from channels.providers import WECHAT, provider
from core import clock
from core.app import settings
from core.db import driver, fetch_row
from core.errors import not_found
from ledger.payments import Payer
from ledger.source_models import Receivable

PAYABLE = timedelta(minutes=30)
GRACE = timedelta(minutes=1)
"""How long after an order expired we close it: the provider's clock is not ours."""

STILL_LONG = timedelta(minutes=5)
"""An open order with less time left is not shown again; another is made."""

LEASE_SECONDS = 30
WATCH_SECONDS = 60
ERROR_LENGTH = 256
NAMES = {"stay": "停车费", "booking": "预约费", "parcel": "快递柜使用费"}

CLAIM_TO_PLACE = """
UPDATE payment_order SET attempts = attempts + 1,
    next_try_at = %(now)s + make_interval(secs => %(lease)s * 2 ^ least(attempts, 5))
WHERE id = (
    SELECT id FROM payment_order
    WHERE status = 'created' AND next_try_at <= %(now)s AND close_at > %(now)s
    ORDER BY next_try_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING id, provider, out_trade_no, trade_type, amount_fen, description, expires_at, openid
"""

# Nobody wants an order any more once it expired, another replaced it, or its debt is paid.
CLAIM_TO_WATCH = """
WITH due AS (
    SELECT id FROM payment_order
    WHERE (status = 'pending' OR status = 'created' AND close_at <= %(now)s)
        AND next_try_at <= %(now)s
    ORDER BY next_try_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE payment_order AS o
SET attempts = o.attempts + 1, next_try_at = %(now)s + make_interval(secs => %(watch)s)
FROM due WHERE o.id = due.id
RETURNING o.id, o.provider, o.out_trade_no, o.close_at <= %(now)s OR EXISTS (
    SELECT FROM receivable AS owed
    WHERE (owed.source, owed.source_id) = (o.source, o.source_id)
        AND owed.paid_fen >= owed.charged_fen
) AS unwanted
"""

PLACED = """
UPDATE payment_order SET status = 'pending', code_url = %(code_url)s, prepay_id = %(prepay_id)s,
    placed_at = %(now)s, attempts = 0, error = NULL,
    next_try_at = %(now)s + make_interval(secs => %(watch)s)
WHERE id = %(id)s AND status = 'created'
"""

PAID_BEFORE = """
UPDATE payment_order SET status = 'pending', next_try_at = %(now)s
WHERE id = %(id)s AND status IN ('created', 'pending')
"""

ENDED = """
UPDATE payment_order
SET status = CASE WHEN placed_at IS NULL OR %(failed)s THEN 'failed' ELSE 'closed' END
WHERE id = %(id)s AND status IN ('created', 'pending')
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """An order that is ours for a while; `unwanted`: to be closed unless it was paid."""

    id: int
    provider: str
    out_trade_no: str
    unwanted: bool = False


def ask(session: Session, owed: Receivable, payer: Payer, openid: str | None) -> PaymentOrder:
    """An order for all that is due now; `owed` is locked and has something due.

    Asked again while the same order can still be paid, that order; another one for the same
    debt is closed as soon as a sweep comes by. Problem 422 when WeChat is not set up.
    """
    provider(settings(), WECHAT)
    now = clock.now()
    household_id = owed.household_id if payer.household_id is None else payer.household_id
    due_fen = owed.charged_fen - owed.paid_fen
    found = None
    for order in session.scalars(_open_for(owed)):
        same = (order.amount_fen, order.openid, order.household_id)
        if found is None and same == (due_fen, openid, household_id) and _long_enough(order, now):
            found = order
        else:
            _replace(order, now)
    if found is not None:
        return found
    description = NAMES.get(owed.source, "社区服务费")
    return _add(
        session,
        source=owed.source,
        source_id=owed.source_id,
        household_id=household_id,
        amount_fen=due_fen,
        description=f"{description} {owed.source_id}",
        asked_by=payer.id,
        openid=openid,
    )


def ask_top_up(
    session: Session, household_id: int, amount_fen: int, payer: Payer, openid: str | None
) -> PaymentOrder:
    """An order that fills a household's balance. Problem 422 when WeChat is not set up."""
    provider(settings(), WECHAT)
    return _add(
        session,
        household_id=household_id,
        amount_fen=amount_fen,
        description="余额充值",
        asked_by=payer.id,
        openid=openid,
    )


def orders(household_id: int | None = None, status: str | None = None) -> Select[PaymentOrder]:
    """Orders, newest first; of one household or status if given."""
    query = select(PaymentOrder).order_by(PaymentOrder.id.desc())
    if household_id is not None:
        query = query.where(PaymentOrder.household_id == household_id)
    return query if status is None else query.where(PaymentOrder.status == status)


def order(session: Session, out_trade_no: str, household_id: int | None) -> PaymentOrder:
    """One order; Problem 404, also for another household's."""
    found = session.scalar(orders(household_id).where(PaymentOrder.out_trade_no == out_trade_no))
    if found is None:
        raise not_found("payment order")
    return found


def claim_to_place(session: Session, now: datetime) -> tuple[Claimed, Wanted] | None:
    """Take the next order that no provider has yet; it is tried again later if we die."""
    values = {"now": now, "lease": LEASE_SECONDS}
    row = fetch_row(driver(session), (CLAIM_TO_PLACE, values))
    if row is None:
        return None
    claimed = Claimed(row.pop("id"), row.pop("provider"), row["out_trade_no"])
    return claimed, Wanted(**row)


def claim_to_watch(session: Session, now: datetime) -> Claimed | None:
    """Take the next order that stayed pending for a minute, or that has to be closed."""
    row = fetch_row(driver(session), (CLAIM_TO_WATCH, {"now": now, "watch": WATCH_SECONDS}))
    return None if row is None else Claimed(**row)


def placed(session: Session, order_id: int, answer: Placed, now: datetime) -> None:
    """The provider has it; says nothing new if it was even paid meanwhile."""
    said = {"code_url": answer.code_url, "prepay_id": answer.prepay_id}
    values = said | {"id": order_id, "now": now, "watch": WATCH_SECONDS}
    driver(session).execute(PLACED, values)


def paid_before(session: Session, order_id: int, now: datetime) -> None:
    """The provider says it was paid before: let the next sweep ask for the payment."""
    driver(session).execute(PAID_BEFORE, {"id": order_id, "now": now})


def ended(session: Session, order_id: int, *, failed: bool) -> None:
    """Nobody can pay it any more. One that was never placed has failed."""
    driver(session).execute(ENDED, {"id": order_id, "failed": failed})


def stumbled(session: Session, order_id: int, error: str) -> None:
    """What went wrong; it is tried again when its lease runs out."""
    wrong = update(PaymentOrder).where(PaymentOrder.id == order_id)
    session.execute(wrong.values(error=error[:ERROR_LENGTH]))


def _open_for(owed: Receivable) -> Select[PaymentOrder]:
    return (
        select(PaymentOrder)
        .where(
            PaymentOrder.source == owed.source,
            PaymentOrder.source_id == owed.source_id,
            PaymentOrder.status.in_((CREATED, PENDING)),
        )
        .order_by(PaymentOrder.id.desc())
        .with_for_update(key_share=True)
    )


def _replace(order: PaymentOrder, now: datetime) -> None:
    """Let a sweep close it; one that somebody may be placing just now, when that is over."""
    order.close_at = min(order.close_at, now)
    if order.status == PENDING:
        order.next_try_at = now


def _long_enough(order: PaymentOrder, now: datetime) -> bool:
    return order.close_at > now + STILL_LONG


def _add(session: Session, *, openid: str | None, **facts: Any) -> PaymentOrder:
    now = clock.now()
    expires_at = (now + PAYABLE).replace(microsecond=0)
    order = PaymentOrder(
        out_trade_no=f"hl{secrets.token_hex(14)}",
        provider=WECHAT,
        trade_type="jsapi" if openid else "native",
        openid=openid,
        status=CREATED,
        recorded_at=now,
        expires_at=expires_at,
        close_at=expires_at + GRACE,
        next_try_at=now,
        **facts,
    )
    session.add(order)
    session.flush()
    return order
