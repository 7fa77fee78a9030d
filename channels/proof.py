"""Proof that all money of paid orders is accounted for: what was due, a balance, or a surplus."""

from typing import Any

from sqlalchemy.orm import Session

from channels.reconciliation import OURS
from ledger import proof_reports
from ledger.posting import rows
from ledger.proof import OTHERS, Check

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

# Payments and refunds of a provider beside the lines of its bills; differences are tasks, and
# what happened after the last bill is not billed yet.
BILLED = f"""
WITH ours AS ({OURS}), theirs AS (
    SELECT channel, type, reference, amount_fen, verdict FROM bill_line
    WHERE channel <> 'bank' AND type IN ('payment', 'refund')
), known AS (
    SELECT channel, max(covers_to) AS until FROM bill_import GROUP BY channel
)
SELECT channel || ' ' || type AS source, count(ours.amount_fen) AS rows,
    coalesce(sum(ours.amount_fen), 0)::bigint AS rows_fen, count(theirs.amount_fen) AS lines,
    coalesce(sum(theirs.amount_fen), 0)::bigint AS lines_fen, CASE
        WHEN ours.amount_fen = theirs.amount_fen THEN 'matched'
        WHEN ours.amount_fen IS NULL THEN 'missing here'
        WHEN theirs.amount_fen IS NOT NULL THEN 'amount differs'
        WHEN ours.on_day <= known.until THEN 'missing there'
        ELSE 'not billed yet'
    END AS verdict
FROM ours FULL JOIN theirs USING (channel, type, reference) LEFT JOIN known USING (channel)
GROUP BY 1, 6 ORDER BY 1, 6
"""  # noqa: S608 - constants of ours

MOVED = """
SELECT m.reference FROM channel_move AS m
LEFT JOIN payment_refund AS r ON r.out_refund_no = m.reference AND r.status = 'succeeded'
WHERE m.kind = 'refund' AND r.amount_fen IS DISTINCT FROM m.amount_fen
LIMIT 1
"""


def let_the_books_know() -> None:
    """Have this proved with the books; whoever starts a process that proves calls it."""
    OTHERS["channels"] = orders_are_accounted_for
    proof_reports.SIDES["bills"] = beside_the_bills


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


def beside_the_bills(session: Session) -> list[dict[str, Any]]:
    """What providers collected and gave back for us beside what their bills say, by verdict."""
    return [dict(row) for row in rows(session, BILLED)]
