"""Proof that the books are right: everything that is stored twice is computed again."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.orm import Session

from core.db import snapshot
from ledger import chain, side_by_side
from ledger.chain import Found
from ledger.checks import Check, compare
from ledger.posting import execute, rows
from ledger.side_by_side import CONTROL, ELSEWHERE

T = TypeVar("T")

__all__ = ["CHECKS", "OTHERS", "Check", "Proof", "verify"]

ROLLUPS = """
SELECT account, month, count(*) OVER () AS broken FROM (
    SELECT account, month, sum(debit_fen) AS debit, sum(credit_fen) AS credit
    FROM account_month GROUP BY account, month
) AS rolled FULL JOIN (
    SELECT account, date_trunc('month', posted_on::timestamp)::date AS month,
        sum(greatest(amount_fen, 0)) AS debit, sum(greatest(-amount_fen, 0)) AS credit
    FROM posting GROUP BY 1, 2
) AS posted USING (account, month)
WHERE (rolled.debit, rolled.credit) IS DISTINCT FROM (posted.debit, posted.credit)
ORDER BY account, month LIMIT 1
"""

RECEIVABLES = """
SELECT source, source_id, count(*) OVER () AS broken FROM (
    SELECT source, source_id, sum(amount_fen) AS fen,
        -coalesce(sum(amount_fen) FILTER (WHERE kind = 'credit'), 0) AS credited
    FROM charge GROUP BY source, source_id
) AS charged
FULL JOIN (
    SELECT source, source_id, sum(amount_fen) AS fen FROM (
        SELECT source, source_id, amount_fen FROM payment
        UNION ALL
        SELECT source, source_id, -amount_fen FROM fee_refund
    ) AS moves GROUP BY source, source_id
) AS paid USING (source, source_id)
FULL JOIN receivable USING (source, source_id)
WHERE charged.fen IS DISTINCT FROM charged_fen OR coalesce(paid.fen, 0) IS DISTINCT FROM paid_fen
    OR charged.credited IS DISTINCT FROM credited_fen
ORDER BY source, source_id LIMIT 1
"""

BALANCES = """
WITH kept AS (
    SELECT 'household ' || household_id AS owner, amount_fen FROM balance
    UNION ALL
    SELECT company, amount_fen FROM company_balance
), moved AS (
    SELECT coalesce('household ' || household_id, company) AS owner, sum(amount_fen) AS fen FROM (
        SELECT household_id, company, amount_fen FROM top_up
        UNION ALL
        SELECT household_id, company, -amount_fen FROM payment WHERE method = 'balance'
        UNION ALL
        SELECT household_id, company, amount_fen FROM fee_refund WHERE method = 'balance'
    ) AS moves GROUP BY 1
)
SELECT owner, count(*) OVER () AS broken FROM moved FULL JOIN kept USING (owner)
WHERE moved.fen IS DISTINCT FROM kept.amount_fen
ORDER BY owner LIMIT 1
"""

# What settled sources say each party owes, has prepaid, and the till holds, beside the books.
SUBLEDGERS = """
WITH said (account, household_id, company, fen) AS (
    SELECT %(receivable)s, household_id, company, amount_fen
    FROM charge WHERE settled_at IS NOT NULL
    UNION ALL
    SELECT %(receivable)s, owed.household_id, owed.company, -amount_fen
    FROM payment JOIN receivable AS owed USING (source, source_id) WHERE settled_at IS NOT NULL
    UNION ALL
    SELECT CASE WHEN company IS NULL THEN %(prepaid)s ELSE %(companies_prepaid)s END,
        household_id, company, amount_fen
    FROM payment WHERE settled_at IS NOT NULL AND method = 'balance'
    UNION ALL
    SELECT %(cash)s, NULL, NULL, amount_fen
    FROM payment WHERE settled_at IS NOT NULL AND method = 'cash'
    UNION ALL
    SELECT CASE method WHEN 'cash' THEN %(cash)s ELSE %(wechat)s END, NULL, NULL, amount_fen
    FROM top_up WHERE settled_at IS NOT NULL
    UNION ALL
    SELECT %(wechat)s, NULL, NULL, amount_fen
    FROM payment WHERE settled_at IS NOT NULL AND method = 'wechat'
    UNION ALL
    SELECT CASE channel WHEN 'wechat' THEN %(wechat)s ELSE %(alipay)s END, NULL, NULL,
        CASE kind WHEN 'surplus' THEN amount_fen ELSE -amount_fen END
    FROM channel_move WHERE settled_at IS NOT NULL
    UNION ALL
    SELECT %(overpaid)s, household_id, NULL,
        CASE kind WHEN 'surplus' THEN -amount_fen ELSE amount_fen END
    FROM channel_move WHERE settled_at IS NOT NULL AND kind IN ('surplus', 'refund')
    UNION ALL
    SELECT CASE WHEN company IS NULL THEN %(prepaid)s ELSE %(companies_prepaid)s END,
        household_id, company, -amount_fen
    FROM top_up WHERE settled_at IS NOT NULL
    UNION ALL
    SELECT p.account, party.household_id, CASE WHEN party.kind = 'company' THEN p.party END,
        p.amount_fen
    FROM journal_entry AS e JOIN posting AS p ON p.entry_id = e.id
    LEFT JOIN party ON party.code = p.party
    WHERE (e.reverses_id IS NOT NULL OR e.source = ANY (%(elsewhere)s))
        AND p.account IN (%(cash)s, %(receivable)s, %(prepaid)s, %(companies_prepaid)s, %(wechat)s,
            %(alipay)s, %(overpaid)s)
), sources AS (
    SELECT account, coalesce('household:' || household_id, company, '') AS party, sum(fen) AS fen
    FROM said GROUP BY 1, 2
), books AS (
    SELECT account, coalesce(party, '') AS party, sum(amount_fen) AS fen FROM posting
    WHERE account IN (%(cash)s, %(receivable)s, %(prepaid)s, %(companies_prepaid)s, %(wechat)s,
        %(alipay)s, %(overpaid)s)
    GROUP BY 1, 2
)
SELECT account, party, count(*) OVER () AS broken FROM sources FULL JOIN books
    USING (account, party)
WHERE coalesce(sources.fen, 0) <> coalesce(books.fen, 0)
ORDER BY account, party LIMIT 1
"""

OWED = """
SELECT company, source, count(*) OVER () AS broken FROM (
    SELECT company, source, sum(owed_fen) AS fen FROM company_owed GROUP BY company, source
) AS rolled FULL JOIN (
    SELECT company, source, sum(charged_fen - paid_fen) AS fen FROM receivable
    WHERE company IS NOT NULL GROUP BY company, source
) AS owed USING (company, source)
WHERE rolled.fen IS DISTINCT FROM owed.fen
ORDER BY company, source LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Proof:
    """The outcome of every check."""

    checks: Mapping[str, Check]

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.ok for check in self.checks.values())


OTHERS: dict[str, Callable[[Session], Check]] = {}
"""What packages that raise charges prove of them, by the check's name."""


def verify(session: Session, beside: Session | None = None) -> Proof:
    """Recompute balances, sources, chain, rollups, receivables, prepaid, owed and sub-ledgers.

    And whatever the sources of charges registered in `OTHERS`.

    Writes nothing. While settlement runs, give it a REPEATABLE READ session that has read
    nothing yet, so that every check sees the same instant; and a second one, `beside`, that
    may see the same, so that entries are hashed while everything else is compared.
    """
    with _walk(session, beside) as walked:
        ours = {name: check(session) for name, check in CHECKS.items()}
        others = {name: check(session) for name, check in OTHERS.items()}
        grown = chain.trees(session)
        found = walked()
    entries = {
        "balances": chain.balances(session, found),
        "chain": chain.chain(session, found, grown),
    }
    return Proof(entries | ours | others)


def at_one_instant(look: Callable[[Session, Session], T]) -> T:
    """What is seen by two sessions of their own that read one instant, and can write nothing."""
    with snapshot() as session, snapshot() as beside:
        return look(session, beside)


@contextmanager
def _walk(session: Session, beside: Session | None) -> Iterator[Callable[[], Found]]:
    """The walk over all entries: on another connection in the meantime, or here when asked."""
    rows(session, chain.ROOM)
    if beside is None:
        yield lambda: chain.look(session)
        return
    instant = rows(session, "SELECT pg_export_snapshot() AS id")[0]["id"]
    execute(beside, f"SET TRANSACTION SNAPSHOT '{instant}'", {})
    with ThreadPoolExecutor(1) as aside:
        yield aside.submit(chain.look, beside).result


def _subledgers(session: Session) -> Check:
    name = "account {account}, party '{party}'"
    return compare(session, SUBLEDGERS, name, **CONTROL, elsewhere=sorted(ELSEWHERE))


def _compared(sql: str, name: str) -> Callable[[Session], Check]:
    return lambda session: compare(session, sql, name)


CHECKS: Mapping[str, Callable[[Session], Check]] = {
    "sources": side_by_side.sources,
    "rollups": _compared(ROLLUPS, "account {account}, month {month}"),
    "receivables": _compared(RECEIVABLES, "receivable {source}:{source_id}"),
    "prepaid": _compared(BALANCES, "balance of {owner}"),
    "companies": _compared(OWED, "what {company} owes for {source}"),
    "subledgers": _subledgers,
}
"""What is proved besides the walk over all entries, by the check's name."""
