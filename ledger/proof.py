"""Proof that the books are right: everything that is stored twice is computed again."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.orm import Session

from core.db import snapshot
from ledger import chain
from ledger.accounts import (
    CASH,
    CLEARING,
    COMPANIES_PREPAID,
    FUND_PAYABLE,
    FUND_RECEIVABLE,
    INCOMES,
    OVERPAID,
    OWNERS_PAYABLE,
    PREPAID,
    PROPERTY_PAYABLE,
    PROVIDER_COSTS,
    PROVIDER_INCOMES,
    PROVIDER_RECEIVABLE,
    RECEIVABLE,
)
from ledger.chain import Found
from ledger.checks import Check, compare
from ledger.posting import execute, rows

T = TypeVar("T")

__all__ = ["CHECKS", "OTHERS", "Check", "Proof", "verify"]

# Each source row beside its entry in the collecting book, whose amount is what it did to the
# control account; unless that was taken back. A charge is also laid beside its entries income
# by income, the rule behind a posting saying which: what was shared out is the charge, and the
# fund and the provider book what the owners' book owes them. A posting to any other account
# is of no income.
VERDICTS = """
WITH source AS (
    SELECT 'charge' AS source, id AS source_id, amount_fen AS fen, settled_at, set_aside_reason
    FROM charge
    UNION ALL
    SELECT 'payment', id, -amount_fen, settled_at, set_aside_reason FROM payment
    UNION ALL
    SELECT 'top_up', id, -amount_fen, settled_at, set_aside_reason FROM top_up
    UNION ALL
    SELECT kind, id, CASE kind WHEN 'surplus' THEN amount_fen ELSE -amount_fen END,
        settled_at, set_aside_reason
    FROM channel_move
), back AS (
    SELECT source, source_id, purpose FROM journal_entry
    WHERE id IN (SELECT reverses_id FROM journal_entry WHERE reverses_id IS NOT NULL)
), entry AS (
    SELECT e.source, e.source_id, sum(p.amount_fen) AS fen
    FROM journal_entry AS e JOIN posting AS p ON p.entry_id = e.id
        AND CASE WHEN e.source = 'top_up' THEN p.account IN (%(prepaid)s, %(companies_prepaid)s)
            WHEN e.source IN ('charge', 'payment') THEN p.account = %(receivable)s
            ELSE p.account IN (%(wechat)s, %(alipay)s) END
    WHERE e.reverses_id IS NULL
    GROUP BY e.source, e.source_id
), whole AS (
    SELECT source, source_id, coalesce(entry.fen, 0) AS fen
    FROM (
        SELECT DISTINCT source, source_id FROM journal_entry WHERE source <> ALL (%(elsewhere)s)
    ) AS e
    LEFT JOIN entry USING (source, source_id)
), charged AS (
    SELECT id AS source_id, income, amount_fen::numeric AS fen FROM charge
    WHERE settled_at IS NOT NULL AND parts IS NULL
    UNION ALL
    SELECT id, part.key, part.value::numeric FROM charge, jsonb_each_text(parts) AS part
    WHERE settled_at IS NOT NULL AND part.value <> '0'
), booked AS (
    SELECT e.source_id, CASE WHEN p.account IN (%(fund_payable)s, %(property)s, %(owners)s,
            chart.fund, chart.provider, chart.cost) THEN rule.income END AS income,
        -sum(p.amount_fen) FILTER (WHERE e.book = 'owners') AS fen,
        coalesce(sum(p.amount_fen) FILTER (WHERE p.account = %(fund_payable)s), 0)
            <> coalesce(sum(p.amount_fen) FILTER (WHERE e.book = 'fund'), 0)
        OR coalesce(sum(p.amount_fen) FILTER (WHERE p.account = %(property)s), 0)
            <> coalesce(sum(p.amount_fen) FILTER (WHERE e.book = 'provider'), 0) AS apart
    FROM journal_entry AS e
    JOIN posting AS p ON p.entry_id = e.id
        AND p.account NOT IN (%(receivable)s, %(fund_receivable)s, %(provider_receivable)s)
    LEFT JOIN split_rule AS rule ON rule.id = coalesce(p.split_rule_id, e.split_rule_id)
    LEFT JOIN unnest(%(incomes)s::text[], %(fund_incomes)s::text[], %(provider_incomes)s::text[],
        %(provider_costs)s::text[]) AS chart (income, fund, provider, cost)
        ON chart.income = rule.income
    WHERE e.source = 'charge' AND e.reverses_id IS NULL GROUP BY 1, 2
), otherwise AS (
    SELECT 'charge' AS source, source_id, bool_or(charged.fen IS DISTINCT FROM booked.fen)
            AS booked_otherwise, bool_or(booked.apart) AS books_differ
    FROM charged FULL JOIN booked USING (source_id, income)
    WHERE charged.fen IS DISTINCT FROM booked.fen OR booked.apart
    GROUP BY source_id
), verdict AS (
    SELECT source, source_id, source.fen, whole.fen AS booked_fen, CASE
        WHEN source.fen IS NULL THEN 'has an entry but no source row'
        WHEN whole.fen IS NULL AND settled_at IS NOT NULL THEN 'is settled without an entry'
        WHEN whole.fen IS NOT NULL AND settled_at IS NULL THEN 'has an entry but is not settled'
        WHEN whole.fen <> source.fen THEN 'has an entry of another amount'
        WHEN whole.fen IS NOT NULL AND booked_otherwise THEN 'is booked as other incomes'
        WHEN whole.fen IS NOT NULL AND books_differ THEN 'differs from book to book'
        WHEN back.source IS NOT NULL THEN 'reversed'
        WHEN set_aside_reason IS NOT NULL THEN 'set aside: ' || set_aside_reason
        WHEN settled_at IS NULL THEN 'waiting'
        ELSE 'settled'
    END AS verdict
    FROM source FULL JOIN whole USING (source, source_id)
    LEFT JOIN otherwise USING (source, source_id)
    LEFT JOIN (SELECT DISTINCT source, source_id FROM back) AS back USING (source, source_id)
)
"""

SOURCES = f"""{VERDICTS}
SELECT verdict, count(*) AS count, min(ROW (source, source_id)::text) AS first
FROM verdict GROUP BY verdict ORDER BY verdict
"""  # noqa: S608 - constants of ours

SIDE_BY_SIDE = f"""{VERDICTS}
SELECT source, verdict, count(fen) AS rows, coalesce(sum(fen), 0)::bigint AS rows_fen,
    count(booked_fen) AS entries, coalesce(sum(booked_fen), 0)::bigint AS entries_fen
FROM verdict GROUP BY source, verdict ORDER BY source, verdict
"""  # noqa: S608 - constants of ours

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

CONTROL = {
    "cash": CASH,
    "receivable": RECEIVABLE,
    "prepaid": PREPAID,
    "companies_prepaid": COMPANIES_PREPAID,
    "overpaid": OVERPAID,
    **CLEARING,
}
CHART = {
    "property": PROPERTY_PAYABLE,
    "owners": OWNERS_PAYABLE,
    "fund_payable": FUND_PAYABLE,
    "fund_receivable": FUND_RECEIVABLE,
    "provider_receivable": PROVIDER_RECEIVABLE,
    "incomes": list(INCOMES),
    "fund_incomes": [account for account, _ in INCOMES.values()],
    "provider_incomes": [PROVIDER_INCOMES[income] for income in INCOMES],
    "provider_costs": [PROVIDER_COSTS[income] for income in INCOMES],
}
SOUND = ("settled", "waiting", "reversed")


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

ELSEWHERE: set[str] = set()
"""Sources of entries that a check of `OTHERS` lays beside their rows, posting by posting."""


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


def _sources(session: Session) -> Check:
    """Waiting and set-aside rows are explained; anything else but settled is an error."""
    found = rows(session, SOURCES, **CONTROL, **CHART, elsewhere=sorted(ELSEWHERE))
    explained = [r for r in found if r["verdict"].startswith((*SOUND, "set aside"))]
    wrong = [r for r in found if r not in explained]
    said = (
        [f"{r['count']} {r['verdict']}, first {r['first']}" for r in wrong]
        or [f"{r['count']} {r['verdict']}" for r in explained]
        or ["nothing was charged or paid yet"]
    )
    return Check(not wrong, "; ".join(said))


def _subledgers(session: Session) -> Check:
    name = "account {account}, party '{party}'"
    return compare(session, SUBLEDGERS, name, **CONTROL, elsewhere=sorted(ELSEWHERE))


def _compared(sql: str, name: str) -> Callable[[Session], Check]:
    return lambda session: compare(session, sql, name)


CHECKS: Mapping[str, Callable[[Session], Check]] = {
    "sources": _sources,
    "rollups": _compared(ROLLUPS, "account {account}, month {month}"),
    "receivables": _compared(RECEIVABLES, "receivable {source}:{source_id}"),
    "prepaid": _compared(BALANCES, "balance of {owner}"),
    "companies": _compared(OWED, "what {company} owes for {source}"),
    "subledgers": _subledgers,
}
"""What is proved besides the walk over all entries, by the check's name."""
