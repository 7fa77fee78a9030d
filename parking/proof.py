"""Proof that every closed stay was charged what it cost, and nothing else was."""

from sqlalchemy.orm import Session

from core.db import driver, fetch_row
from ledger.proof import Check

DIFFERENT = """
SELECT count(*) AS broken, min(coalesce(s.id, r.source_id)) AS first
FROM (SELECT id, fee_fen FROM stay WHERE status = 'closed') s
FULL JOIN (SELECT source_id, charged_fen FROM receivable
           WHERE source = 'stay' AND source_id NOT IN (SELECT id FROM stay WHERE fee_fen IS NULL)) r
    ON r.source_id = s.id
WHERE coalesce(s.fee_fen, 0) <> coalesce(r.charged_fen, 0)
"""


def stays_are_charged(session: Session) -> Check:
    """Closed stays beside the sums of their charges, to the fen."""
    row = fetch_row(driver(session), (DIFFERENT, {}))
    if row is None or row["broken"]:
        return Check(False, f"{row and row['broken']} stays differ, first {row and row['first']}")
    return Check(True, "every closed stay is charged its fee, and no other")
