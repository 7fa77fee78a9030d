"""Source rows beside their entries: each of the same amount, in every book, or explained."""

from typing import Any

from sqlalchemy.orm import Session

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
from ledger.checks import Check
from ledger.posting import rows

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
    SELECT source, source_id, coalesce(entry.fen, 0) AS fen, standing
    FROM (
        SELECT source, source_id, count(*) FILTER (WHERE reverses_id IS NULL) AS standing
        FROM journal_entry WHERE source <> ALL (%(elsewhere)s) GROUP BY source, source_id
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
        WHEN standing > CASE source WHEN 'charge' THEN 3 ELSE 1 END THEN 'has too many entries'
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


ELSEWHERE: set[str] = set()
"""Sources of entries that a check of `OTHERS` lays beside their rows, posting by posting."""


def sources(session: Session) -> Check:
    """Waiting and set-aside rows are explained; anything else but settled is an error."""
    found = rows(session, SOURCES, **_values())
    explained = [r for r in found if r["verdict"].startswith((*SOUND, "set aside"))]
    wrong = [r for r in found if r not in explained]
    said = (
        [f"{r['count']} {r['verdict']}, first {r['first']}" for r in wrong]
        or [f"{r['count']} {r['verdict']}" for r in explained]
        or ["nothing was charged or paid yet"]
    )
    return Check(not wrong, "; ".join(said))


def sides(session: Session) -> list[dict[str, Any]]:
    """How many rows and entries there are of each source and verdict, and their fen."""
    return [dict(row) for row in rows(session, SIDE_BY_SIDE, **_values())]


def _values() -> dict[str, Any]:
    return {**CONTROL, **CHART, "elsewhere": sorted(ELSEWHERE)}
