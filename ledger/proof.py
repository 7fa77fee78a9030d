"""Proof that the books are right: everything that is stored twice is computed again."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from psycopg.rows import DictRow, dict_row
from sqlalchemy.orm import Session

from core.db import driver
from ledger import journal
from ledger.accounts import (
    CASH,
    CLEARING,
    COMPANIES_PREPAID,
    INCOMES,
    OVERPAID,
    OWNERS_PAYABLE,
    PREPAID,
    PROPERTY_PAYABLE,
    RECEIVABLE,
)
from ledger.posting import rows

UNBALANCED = """
SELECT e.id, e.source, e.source_id, coalesce(sum(p.amount_fen), 0) AS fen, count(p.line) AS lines,
    count(*) OVER () AS broken
FROM journal_entry AS e LEFT JOIN posting AS p ON p.entry_id = e.id
GROUP BY e.id
HAVING coalesce(sum(p.amount_fen), 0) <> 0 OR count(p.line) < 2
    OR bool_or(p.occurred_on <> e.occurred_on)
ORDER BY e.id LIMIT 1
"""

STRAY = """
SELECT entry_id, count(*) OVER () AS broken FROM posting
WHERE NOT EXISTS (SELECT FROM journal_entry WHERE journal_entry.id = posting.entry_id)
ORDER BY entry_id LIMIT 1
"""

# Each source row beside its entry; the entry's amount is what it did to the control account.
# A charge is also laid beside its entry income by income, the rule behind a posting saying
# which; a posting to another account than that income's or its sharers' is of no income.
SOURCES = """
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
), entry AS (
    SELECT e.source, e.source_id, coalesce(sum(p.amount_fen), 0) AS fen
    FROM journal_entry AS e LEFT JOIN posting AS p ON p.entry_id = e.id
        AND CASE WHEN e.source = 'top_up' THEN p.account IN (%(prepaid)s, %(companies_prepaid)s)
            WHEN e.source IN ('surplus', 'refund', 'provider_fee', 'settlement_transfer')
            THEN p.account IN (%(wechat)s, %(alipay)s)
            ELSE p.account = %(receivable)s END
    GROUP BY e.id
), charged AS (
    SELECT id AS source_id, income, amount_fen::numeric AS fen FROM charge
    WHERE settled_at IS NOT NULL AND parts IS NULL
    UNION ALL
    SELECT id, part.key, part.value::numeric FROM charge, jsonb_each_text(parts) AS part
    WHERE settled_at IS NOT NULL AND part.value <> '0'
), booked AS (
    SELECT e.source_id, CASE WHEN p.account IN (chart.account, %(property)s, %(owners)s)
        THEN rule.income END AS income, -sum(p.amount_fen) AS fen
    FROM journal_entry AS e
    JOIN posting AS p ON p.entry_id = e.id AND p.account <> %(receivable)s
    LEFT JOIN split_rule AS rule ON rule.id = coalesce(p.split_rule_id, e.split_rule_id)
    LEFT JOIN unnest(%(incomes)s::text[], %(accounts)s::text[]) AS chart (income, account)
        ON chart.income = rule.income
    WHERE e.source = 'charge' GROUP BY 1, 2
), otherwise AS (
    SELECT DISTINCT 'charge' AS source, source_id, true AS booked_otherwise
    FROM charged FULL JOIN booked USING (source_id, income)
    WHERE charged.fen IS DISTINCT FROM booked.fen
), verdict AS (
    SELECT source, source_id, CASE
        WHEN source.fen IS NULL THEN 'has an entry but no source row'
        WHEN entry.fen IS NULL AND settled_at IS NOT NULL THEN 'is settled without an entry'
        WHEN entry.fen IS NOT NULL AND settled_at IS NULL THEN 'has an entry but is not settled'
        WHEN entry.fen <> source.fen THEN 'has an entry of another amount'
        WHEN entry.fen IS NOT NULL AND booked_otherwise THEN 'is booked as other incomes'
        WHEN set_aside_reason IS NOT NULL THEN 'set aside: ' || set_aside_reason
        WHEN settled_at IS NULL THEN 'waiting'
        ELSE 'settled'
    END AS verdict
    FROM source FULL JOIN entry USING (source, source_id)
    LEFT JOIN otherwise USING (source, source_id)
)
SELECT verdict, count(*) AS count, min(ROW (source, source_id)::text) AS first
FROM verdict GROUP BY verdict ORDER BY verdict
"""

CHAIN = """
SELECT s.position, s.previous_hash, s.hash, e.*, p.line, p.account, p.party, p.amount_fen,
    p.split_rule_id AS line_rule_id
FROM journal_seal AS s
LEFT JOIN journal_entry AS e ON e.id = s.entry_id
LEFT JOIN posting AS p ON p.entry_id = e.id
ORDER BY s.position, p.line
"""

UNSEALED = """
SELECT min(id) AS id, count(*) AS broken FROM journal_entry
WHERE NOT EXISTS (SELECT FROM journal_seal WHERE entry_id = journal_entry.id)
"""

ROLLUPS = """
SELECT account, month, count(*) OVER () AS broken FROM (
    SELECT account, month, sum(debit_fen) AS debit, sum(credit_fen) AS credit
    FROM account_month GROUP BY account, month
) AS rolled FULL JOIN (
    SELECT account, date_trunc('month', occurred_on::timestamp)::date AS month,
        sum(greatest(amount_fen, 0)) AS debit, sum(greatest(-amount_fen, 0)) AS credit
    FROM posting GROUP BY 1, 2
) AS posted USING (account, month)
WHERE (rolled.debit, rolled.credit) IS DISTINCT FROM (posted.debit, posted.credit)
ORDER BY account, month LIMIT 1
"""

RECEIVABLES = """
SELECT source, source_id, count(*) OVER () AS broken FROM (
    SELECT source, source_id, sum(amount_fen) AS fen FROM charge GROUP BY source, source_id
) AS charged
FULL JOIN (
    SELECT source, source_id, sum(amount_fen) AS fen FROM payment GROUP BY source, source_id
) AS paid USING (source, source_id)
FULL JOIN receivable USING (source, source_id)
WHERE charged.fen IS DISTINCT FROM charged_fen OR coalesce(paid.fen, 0) IS DISTINCT FROM paid_fen
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
    "incomes": list(INCOMES),
    "accounts": [account for account, _ in INCOMES.values()],
}
SOUND = ("settled", "waiting")


@dataclass(frozen=True, slots=True)
class Check:
    """One check's outcome; `detail` names the first broken row."""

    ok: bool
    detail: str


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


def verify(session: Session) -> Proof:
    """Recompute balances, sources, chain, rollups, receivables, prepaid, owed and sub-ledgers.

    And whatever the sources of charges registered in `OTHERS`.

    Writes nothing. While settlement runs, give it a REPEATABLE READ session that has read
    nothing yet, so that every check sees the same instant.
    """
    return Proof(
        {
            "balances": _balances(session),
            "sources": _sources(session),
            "chain": _chain(session),
            "rollups": _compare(session, ROLLUPS, "account {account}, month {month}"),
            "receivables": _compare(session, RECEIVABLES, "receivable {source}:{source_id}"),
            "prepaid": _compare(session, BALANCES, "balance of {owner}"),
            "companies": _compare(session, OWED, "what {company} owes for {source}"),
            "subledgers": _compare(session, SUBLEDGERS, "account {account}, party '{party}'"),
            **{name: check(session) for name, check in OTHERS.items()},
        }
    )


def _balances(session: Session) -> Check:
    for row in rows(session, STRAY):
        return Check(False, f"{row['broken']} postings without an entry, first {row['entry_id']}")
    for row in rows(session, UNBALANCED):
        said = f"entry {row['id']} ({row['source']}:{row['source_id']})"
        detail = f"{said} sums to {row['fen']} fen over {row['lines']} postings"
        return Check(False, f"{detail}; {row['broken']} broken in all")
    return Check(True, "every entry balances")


def _sources(session: Session) -> Check:
    """Waiting and set-aside rows are explained; anything else but settled is an error."""
    found = rows(session, SOURCES, **CONTROL, **CHART)
    explained = [r for r in found if r["verdict"].startswith((*SOUND, "set aside"))]
    wrong = [r for r in found if r not in explained]
    said = (
        [f"{r['count']} {r['verdict']}, first {r['first']}" for r in wrong]
        or [f"{r['count']} {r['verdict']}" for r in explained]
        or ["nothing was charged or paid yet"]
    )
    return Check(not wrong, "; ".join(said))


def _compare(session: Session, sql: str, name: str) -> Check:
    for row in rows(session, sql, **CONTROL):
        detail = f"{name.format_map(row)} differs; {row['broken']} broken in all"
        return Check(False, detail)
    return Check(True, "recomputed, no difference")


def _chain(session: Session) -> Check:
    """Walk the seals in order, hashing every entry anew from its fields."""
    position, before = 0, journal.GENESIS
    for position, sealed in enumerate(_sealed(session), start=1):
        head = sealed[0]
        at = f"seal {head['position']}"
        if head["id"] is None:
            return Check(False, f"{at} has no entry")
        entry = _entry(sealed)
        said = f"{at}, entry {head['id']} ({entry.source}:{entry.source_id})"
        if (head["position"], head["previous_hash"]) != (position, before):
            return Check(False, f"{said}: the chain is broken before it")
        if journal.fingerprint(entry) != head["fingerprint"]:
            return Check(False, f"{said}: the entry was altered")
        content = journal.canonical(head["id"], head["recorded_at"], entry)
        if journal.seal(before, content) != head["hash"]:
            return Check(False, f"{said}: the entry or its seal was altered")
        before = head["hash"]
    for row in rows(session, UNSEALED):
        if row["broken"]:
            return Check(False, f"{row['broken']} entries without a seal, first {row['id']}")
    return Check(True, f"{position} entries, head {before.hex()}")


def _sealed(session: Session) -> Iterator[list[DictRow]]:
    """Each seal with its entry's fields on every row and one posting per row, streamed."""
    with driver(session).cursor(name="chain", row_factory=dict_row) as cursor:
        cursor.itersize = 5_000
        cursor.execute(CHAIN)
        for _, sealed in groupby(cursor, key=lambda row: row["position"]):
            yield list(sealed)


def _entry(sealed: list[DictRow]) -> journal.Entry:
    head: Mapping[str, Any] = sealed[0]
    return journal.Entry(
        source=head["source"],
        source_id=head["source_id"],
        occurred_on=head["occurred_on"],
        memo=head["memo"],
        lines=tuple(
            journal.Line(row["account"], row["party"], row["amount_fen"], row["line_rule_id"])
            for row in sealed
            if row["line"] is not None
        ),
        purpose=head["purpose"],
        split_rule_id=head["split_rule_id"],
        reverses_id=head["reverses_id"],
    )
