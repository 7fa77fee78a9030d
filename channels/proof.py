"""Proof that all money of paid orders is accounted for: what was due, a balance, or a surplus."""

from sqlalchemy.orm import Session

from ledger.posting import rows
from ledger.proof import Check

ACCOUNTED = """
SELECT o.out_trade_no, count(*) OVER () AS broken
FROM payment_order AS o
LEFT JOIN payment AS p ON p.id = o.payment_id
LEFT JOIN top_up AS t ON t.id = o.top_up_id
LEFT JOIN channel_move AS m
    ON m.kind = 'surplus' AND m.channel = o.provider AND m.reference = o.out_trade_no
LEFT JOIN (
    SELECT order_id, sum(amount_fen) AS fen FROM payment_refund GROUP BY order_id
) AS r ON r.order_id = o.id
LEFT JOIN (
    SELECT payment_id, sum(amount_fen) AS fen FROM fee_refund
    WHERE payment_id IS NOT NULL GROUP BY payment_id
) AS f ON f.payment_id = o.payment_id
WHERE o.transaction_id IS NOT NULL AND (
    o.amount_fen <> coalesce(p.amount_fen, 0) + coalesce(t.amount_fen, 0)
        + coalesce(m.amount_fen, 0)
    OR coalesce(m.amount_fen, 0) + coalesce(f.fen, 0) <> coalesce(r.fen, 0)
)
ORDER BY o.id LIMIT 1
"""

STRAY = """
SELECT 'payment ' || p.id AS what FROM payment AS p
WHERE p.method = 'wechat' AND NOT EXISTS (SELECT FROM payment_order WHERE payment_id = p.id)
UNION ALL
SELECT 'top-up ' || t.id FROM top_up AS t
WHERE t.method = 'wechat' AND NOT EXISTS (SELECT FROM payment_order WHERE top_up_id = t.id)
LIMIT 1
"""

MOVED = """
SELECT m.reference FROM channel_move AS m
LEFT JOIN payment_refund AS r ON r.out_refund_no = m.reference AND r.status = 'succeeded'
WHERE m.kind = 'refund' AND r.amount_fen IS DISTINCT FROM m.amount_fen
LIMIT 1
"""


def orders_are_accounted_for(session: Session) -> Check:
    """Every fen a provider took for us is a payment, a top-up or a surplus that goes back.

    And what goes back of an order is its surplus and the fees that were refunded through it.
    """
    for row in rows(session, ACCOUNTED):
        said = f"order {row['out_trade_no']} is not accounted for"
        return Check(False, f"{said}; {row['broken']} broken in all")
    for row in rows(session, STRAY):
        return Check(False, f"{row['what']} came through a provider without an order")
    for row in rows(session, MOVED):
        return Check(False, f"refund {row['reference']} is not as the provider gave it back")
    return Check(True, "every order paid is accounted for")
