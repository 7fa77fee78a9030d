"""Companies' money: what they may still deposit for, and paying what they owe by itself."""

from typing import Any

from sqlalchemy.orm import Session

from core import clock
from ledger.posting import execute, rows

# Held until the commit, so that of two who collect the second leaves these companies alone.
PAYERS = """
SELECT company FROM company_balance AS kept
WHERE amount_fen > 0 AND EXISTS (SELECT FROM receivable WHERE owed_by = kept.company)
ORDER BY company FOR NO KEY UPDATE SKIP LOCKED
"""

# What somebody pays in cash this instant is passed over. `reaches_fen` is what all up to and
# including this one take.
PAY = """
INSERT INTO payment (source, source_id, method, amount_fen, company, occurred_at, recorded_at)
SELECT source, source_id, 'balance', fen, company, %(now)s, %(now)s FROM (
    SELECT kept.company, kept.amount_fen AS balance_fen, owed.*,
        sum(owed.fen) OVER (
            PARTITION BY kept.company ORDER BY owed.charged_at, owed.source, owed.source_id
        ) AS reaches_fen
    FROM company_balance AS kept
    CROSS JOIN LATERAL (
        SELECT source, source_id, charged_at, charged_fen - paid_fen AS fen FROM receivable
        WHERE owed_by = kept.company
        ORDER BY charged_at, source, source_id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
    ) AS owed
    WHERE kept.company = ANY (%(companies)s)
) AS queue
WHERE reaches_fen <= balance_fen
ORDER BY company, charged_at, source, source_id
"""

STANDING = """
SELECT company.id AS company_id, company.party, company.active,
    coalesce(kept.amount_fen, 0) AS balance_fen,
    coalesce((
        SELECT sum(owed_fen) FROM company_owed
        WHERE company = company.party AND source = 'deposit'
    ), 0)::bigint AS owed_fen,
    company.credit_fen
FROM courier
JOIN courier_company AS company ON company.id = courier.company_id
LEFT JOIN company_balance AS kept ON kept.company = company.party
WHERE courier.id = {courier}
"""


def standing(courier: str) -> str:
    """SQL of how the company of a courier stands; `courier` is SQL for the courier's id.

    One row of company_id, party, active, balance_fen, owed_fen (unpaid deposit fees alone) and
    credit_fen; none for a courier without a company. A deposit is covered while
    `balance_fen + credit_fen - owed_fen` reaches its fee. It costs the same however many are
    unpaid.
    """
    return STANDING.format(courier=courier)


def collect(session: Session, limit: int = 500) -> int:
    """Pay what companies owe out of their prepaid balances; returns how many were paid.

    Oldest first and each whole, as far as the balance reaches; at most `limit` of each company.
    Two at once, or once more, pay nothing twice.
    """
    payers = [row["company"] for row in rows(session, PAYERS)]
    if not payers:
        return 0
    values: dict[str, Any] = {"companies": payers, "limit": limit, "now": clock.now()}
    return execute(session, PAY, values).rowcount
