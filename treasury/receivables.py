"""账龄: what is unpaid at the end of a day, by age and debtor."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from core.app import settings
from ledger.accounts import RECEIVABLE
from ledger.posting import rows

# Who was square then and has not moved since need not be looked at.
UNPAID = """
WITH ended AS (
    SELECT ((%(as_of)s::date + 1)::timestamp AT TIME ZONE %(zone)s) AS at
), moved AS (
    SELECT r.source, r.source_id, coalesce('household:' || r.household_id, r.company) AS party,
        (fee.occurred_at AT TIME ZONE %(zone)s)::date AS since,
        (SELECT sum(amount_fen) FROM charge AS c WHERE (c.source, c.source_id)
            = (r.source, r.source_id) AND c.occurred_at < ended.at)
        - (SELECT coalesce(sum(amount_fen), 0) FROM payment AS p WHERE (p.source, p.source_id)
            = (r.source, r.source_id) AND p.occurred_at < ended.at)
        + (SELECT coalesce(sum(amount_fen), 0) FROM fee_refund AS b WHERE (b.source, b.source_id)
            = (r.source, r.source_id) AND b.occurred_at < ended.at) AS fen
    FROM ended CROSS JOIN receivable AS r
    JOIN charge AS fee ON fee.kind = 'fee'
        AND (fee.source, fee.source_id) = (r.source, r.source_id)
    WHERE (r.charged_fen <> r.paid_fen OR r.moved_at >= ended.at)
        AND fee.occurred_at < ended.at
)
SELECT {party} AS party, count(*) FILTER (WHERE fen <> 0) AS receivables,
    coalesce(sum(fen) FILTER (WHERE age <= 30), 0)::bigint AS upto_30_fen,
    coalesce(sum(fen) FILTER (WHERE age BETWEEN 31 AND 60), 0)::bigint AS upto_60_fen,
    coalesce(sum(fen) FILTER (WHERE age BETWEEN 61 AND 90), 0)::bigint AS upto_90_fen,
    coalesce(sum(fen) FILTER (WHERE age BETWEEN 91 AND 180), 0)::bigint AS upto_180_fen,
    coalesce(sum(fen) FILTER (WHERE age > 180), 0)::bigint AS older_fen,
    coalesce(sum(fen), 0)::bigint AS total_fen
FROM (SELECT party, fen, %(as_of)s::date - since AS age FROM moved) AS aged
"""
IN_ALL = UNPAID.format(party="NULL::text")
BY_PARTY = UNPAID.format(party="party") + "WHERE fen <> 0 GROUP BY party ORDER BY total_fen DESC, 1"

BOOKS = """
SELECT coalesce(sum(amount_fen), 0)::bigint AS fen FROM posting
WHERE account = %(account)s AND posted_on <= %(as_of)s
"""


@dataclass(frozen=True, slots=True)
class Ageing:
    """What is unpaid by age, in fen, in all and by party; and what the books say of it."""

    as_of: date
    total: dict[str, Any]
    parties: list[dict[str, Any]]
    books_fen: int

    @property
    def difference_fen(self) -> int:
        """What is owed and not in the books, or taken back there alone."""
        total_fen: int = self.total["total_fen"]
        return total_fen - self.books_fen


def ageing(session: Session, as_of: date, *, by_party: bool) -> Ageing:
    """What was unpaid when the day ended in the community's zone; its age counts from the fee."""
    values = {"as_of": as_of, "zone": settings().zone.key}
    (total,) = rows(session, IN_ALL, **values)
    parties = rows(session, BY_PARTY, **values) if by_party else []
    (books,) = rows(session, BOOKS, as_of=as_of, account=RECEIVABLE)
    return Ageing(as_of, total, list(parties), books["fen"])
