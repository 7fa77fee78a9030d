"""Proof that every closed stay and every charging was charged its cost, and nothing else was."""

from sqlalchemy.orm import Session

from core.db import driver, fetch_row
from ledger.proof import OTHERS, Check

DIFFERENT = """
SELECT count(*) AS broken, min(coalesce(s.id, r.source_id)) AS first
FROM (SELECT id, fee_fen FROM stay WHERE status = 'closed') s
FULL JOIN (SELECT source_id, charged_fen + credited_fen AS charged_fen FROM receivable
           WHERE source = 'stay' AND source_id NOT IN (SELECT id FROM stay WHERE fee_fen IS NULL)) r
    ON r.source_id = s.id
WHERE coalesce(s.fee_fen, 0) <> coalesce(r.charged_fen, 0)
"""

# Each price per kWh is rounded once, half up; charges beyond the fee are corrections by people.
CHARGINGS = """
WITH cost AS (
    SELECT c.id, coalesce(
        (2 * c.energy_wh * (t.rules #>> '{energy,electricity_fen_per_kwh}')::bigint + 1000) / 2000
        + (2 * c.energy_wh * (t.rules #>> '{energy,service_fen_per_kwh}')::bigint + 1000) / 2000,
    0) AS fee_fen
    FROM charging c LEFT JOIN tariff t ON t.id = c.tariff_id
    WHERE c.ended_at IS NOT NULL
)
SELECT count(*) AS broken, min(coalesce(cost.id, fee.source_id)) AS first
FROM cost
FULL JOIN (SELECT source_id, amount_fen FROM charge
           WHERE source = 'charging' AND kind = 'fee') fee ON fee.source_id = cost.id
WHERE coalesce(cost.fee_fen, 0) <> coalesce(fee.amount_fen, 0)
"""


def let_the_books_know() -> None:
    """Have this proved with the books; whoever starts a process that proves calls it."""
    OTHERS["stays"] = stays_are_charged
    OTHERS["chargings"] = chargings_are_charged


def stays_are_charged(session: Session) -> Check:
    """Closed stays beside the sums of their charges, to the fen."""
    row = fetch_row(driver(session), (DIFFERENT, {}))
    if row is None or row["broken"]:
        return Check(False, f"{row and row['broken']} stays differ, first {row and row['first']}")
    return Check(True, "every closed stay is charged its fee, and no other")


def chargings_are_charged(session: Session) -> Check:
    """Ended chargings beside their fees, to the fen."""
    row = fetch_row(driver(session), (CHARGINGS, {}))
    if row is None or row["broken"]:
        said = f"{row and row['broken']} chargings differ, first {row and row['first']}"
        return Check(False, said)
    return Check(True, "every ended charging is charged its energy, and no other")
