"""Proof that every parcel that was stored too long, and every deposit, was charged, once."""

from sqlalchemy.orm import Session

from core.db import driver, fetch_row
from ledger.proof import OTHERS, Check

# A fee stands as it was charged; what was waived of it are credits that name it.
STORED = """
SELECT count(*) AS broken, min(coalesce(p.id, c.source_id)) AS first
FROM (SELECT id, fee_fen FROM parcel WHERE fee_fen > 0) p
FULL JOIN (SELECT source_id, amount_fen FROM charge WHERE source = 'parcel' AND kind = 'fee') c
    ON c.source_id = p.id
WHERE p.fee_fen IS DISTINCT FROM c.amount_fen
"""

DEPOSITED = """
SELECT count(*) AS broken, min(coalesce(p.id, c.source_id)) AS first
FROM (SELECT id, deposit_fee_fen FROM parcel
      WHERE deposited_at IS NOT NULL AND deposit_fee_fen > 0) p
FULL JOIN (SELECT source_id, amount_fen FROM charge WHERE source = 'deposit' AND kind = 'fee') c
    ON c.source_id = p.id
WHERE p.deposit_fee_fen IS DISTINCT FROM c.amount_fen
"""


def let_the_books_know() -> None:
    """Have this proved with the books; whoever starts a process that proves calls it."""
    OTHERS["parcels"] = parcels_are_charged
    OTHERS["deposits"] = deposits_are_charged


def parcels_are_charged(session: Session) -> Check:
    """Collected parcels beside their storage fees, to the fen."""
    return _compared(session, STORED, "every collected parcel is charged its storage, and no other")


def deposits_are_charged(session: Session) -> Check:
    """Deposits of companies' couriers beside their fees, to the fen."""
    return _compared(session, DEPOSITED, "every deposit is charged to its company, and no other")


def _compared(session: Session, sql: str, sound: str) -> Check:
    row = fetch_row(driver(session), (sql, {}))
    if row is None or row["broken"]:
        return Check(False, f"{row and row['broken']} parcels differ, first {row and row['first']}")
    return Check(True, sound)
