"""Turning charges, payments and top-ups into journal entries, in batches, exactly once.

A source row is the queue: unsettled rows are locked, posted and marked in one transaction, so a
worker that dies loses nothing, and two workers never see the same row.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from functools import cache, partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import psycopg
import structlog
from prometheus_client import Counter, Histogram
from sqlalchemy.orm import Session

from core import clock
from core.app import settings
from ledger import division, journal, posting
from ledger.accounts import INCOMES, party_of
from ledger.journal import ChargeFacts, Entry
from ledger.posting import rows

log = structlog.get_logger()

NO_INCOME_ACCOUNT = "no-income-account"
NO_SPLIT_RULE = "no-split-rule"
ACCOUNT_INACTIVE = "account-inactive"
CONFLICT = "conflict"
REFUSED = "refused"

# What the source of a correction was charged before, by income, and by which rules it was
# divided. OFFSET keeps the planner from walking all entries while it thinks they are few.
EARLIER = """
    CASE WHEN c.kind <> 'fee' THEN (
        SELECT jsonb_object_agg(income, fen) FROM (
            SELECT part.key AS income, sum(part.value::bigint) AS fen
            FROM charge AS one, jsonb_each_text(
                coalesce(one.parts, jsonb_build_object(one.income, one.amount_fen))) AS part
            WHERE one.source = c.source AND one.source_id = c.source_id AND one.id < c.id
            GROUP BY 1
        ) AS parts
    ) END AS before,
    CASE WHEN c.kind <> 'fee' THEN (
        SELECT array_agg(DISTINCT used.rule) FROM charge AS one CROSS JOIN LATERAL (
            SELECT coalesce(p.split_rule_id, e.split_rule_id) AS rule
            FROM journal_entry AS e JOIN posting AS p ON p.entry_id = e.id
            WHERE e.source = 'charge' AND e.source_id = one.id AND e.purpose = 'settle' OFFSET 0
        ) AS used
        WHERE one.source = c.source AND one.source_id = c.source_id AND one.id < c.id
    ) END AS rules
"""

CHARGES = f"""
SELECT c.id, c.kind, c.source, c.source_id, c.income, c.household_id, c.owner_household_id,
    c.company, c.lot, c.amount_fen, c.parts, c.occurred_at,
    coalesce(fee.occurred_at, c.occurred_at) AS split_at, {EARLIER}
FROM charge AS c LEFT JOIN charge AS fee ON fee.id = c.corrects_id
WHERE c.settled_at IS NULL AND c.set_aside_reason IS NULL
ORDER BY c.id LIMIT %(limit)s FOR NO KEY UPDATE OF c SKIP LOCKED
"""  # noqa: S608 - constants of ours

PAYMENTS = """
SELECT p.id, p.source, p.source_id, p.method, p.amount_fen, p.occurred_at,
    p.household_id AS payer_id, p.company AS paying_company,
    owed.household_id AS debtor_id, owed.company AS owing_company
FROM payment AS p JOIN receivable AS owed USING (source, source_id)
WHERE p.settled_at IS NULL AND p.set_aside_reason IS NULL
ORDER BY p.id LIMIT %(limit)s FOR NO KEY UPDATE OF p SKIP LOCKED
"""

TOP_UPS = """
SELECT t.id, t.household_id, t.company, t.method, t.amount_fen, t.occurred_at FROM top_up AS t
WHERE t.settled_at IS NULL AND t.set_aside_reason IS NULL
ORDER BY t.id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
"""

RULES = """
SELECT id, income, ownership, micro_fund, property, owner, valid_from, lot, cost_permille
FROM split_rule
"""
FACTS = [name for name in ChargeFacts._fields if name != "occurred_on"]
INACTIVE = "SELECT code FROM account WHERE NOT active"

CONFLICTS = Counter(
    "huilin_ledger_conflicts_total",
    "Source rows that contradict what the books say of them already",
    ["source"],
)


LAG = Histogram(
    "huilin_settlement_lag_seconds",
    "From recording a source row to settling it",
    ["table"],
    buckets=(1, 2, 5, 10, 30, 60, 300, 1800, 7200, 86400),
)


class CannotPostError(Exception):
    """A source row that has to be set aside; the argument is the reason's slug."""


class Claimed(NamedTuple):
    """A locked source row: what it becomes in each book, or why it cannot be posted."""

    table: str
    id: int
    entries: tuple[Entry, ...] = ()
    reason: str | None = None

    @property
    def key(self) -> tuple[str, int]:
        """What distinguishes it from other rows."""
        return self.table, self.id


Draft = Callable[[Mapping[str, Any], date], tuple[Entry, ...]]
Refused = dict[tuple[str, int], str]
"""Source rows that settlement sets aside, and why."""

FURTHER: dict[str, tuple[str, Draft]] = {}
"""Source tables of other packages: the SQL that locks what waits, and what a row becomes.

Each has the columns id, amount_fen, occurred_at, recorded_at, settled_at and set_aside_reason.
"""


def settle_batch(session: Session, limit: int = 500) -> int:
    """Post up to `limit` unsettled source rows; returns how many were settled or set aside.

    Rows that cannot be posted are set aside with a reason and do not fail the others. Running
    it twice, or in two processes at once, posts nothing twice.
    """
    claimed = _claim(session, limit)
    if not claimed:
        return 0
    refused = {row.key: row.reason for row in claimed if row.reason}
    refused |= _book(session, [row for row in claimed if row.key not in refused])
    _mark(session, claimed, refused)
    return len(claimed)


def tables() -> tuple[str, ...]:
    """Every table whose rows are settled."""
    return "charge", "payment", "top_up", *FURTHER


def release(session: Session, reason: str, income: str | None = None) -> int:
    """Let settlement try rows again that were set aside for `reason`; returns how many.

    With an `income`, only charges that it is part of.
    """
    released = 0
    for table in ("charge",) if income else tables():
        sql = f"""
            UPDATE {table} SET set_aside_reason = NULL
            WHERE settled_at IS NULL AND set_aside_reason = %(reason)s
        """  # noqa: S608 - table names of our own
        if income:
            sql += " AND coalesce(parts ? %(income)s, income = %(income)s)"
        released += posting.execute(session, sql, {"reason": reason, "income": income}).rowcount
    return released


def _claim(session: Session, limit: int) -> list[Claimed]:
    """Lock what waits, charges before the payments for them, and draft its entries."""
    zone = settings().zone
    rules = [division.Split(**row) for row in rows(session, RULES)]

    in_force = cache(partial(division.rule_for, rules))

    def of_charge(row: Mapping[str, Any], on: date) -> tuple[Entry, ...]:
        facts = ChargeFacts(occurred_on=on, **{name: row[name] for name in FACTS})
        split_on = on if row["split_at"] == row["occurred_at"] else _day(row["split_at"], zone)
        by = row["rules"]
        kept = {rule.income: rule for rule in rules if rule.id in by} if by else {}
        return _of_charge(
            facts,
            lambda income: (
                kept.get(income) or in_force(income, facts.ownership, split_on, facts.lot)
            ),
        )

    drafts: tuple[tuple[str, str, Draft], ...] = (
        ("charge", CHARGES, of_charge),
        ("payment", PAYMENTS, _of_payment),
        ("top_up", TOP_UPS, _of_top_up),
        *((table, sql, draft) for table, (sql, draft) in FURTHER.items()),
    )
    claimed: list[Claimed] = []
    for table, sql, draft in drafts:
        for row in rows(session, sql, limit=limit - len(claimed)):
            try:
                entries = draft(row, _day(row["occurred_at"], zone))
                claimed.append(Claimed(table, row["id"], entries))
            except CannotPostError as error:
                claimed.append(Claimed(table, row["id"], reason=str(error)))
            except (ArithmeticError, LookupError, TypeError, ValueError):
                log.exception("cannot be drafted", table=table, id=row["id"])
                claimed.append(Claimed(table, row["id"], reason=REFUSED))
    return claimed


def _of_charge(
    facts: ChargeFacts, rule_of: Callable[[str], division.Split | None]
) -> tuple[Entry, ...]:
    """Each income by its own rule: a correction's is the one that divided what it corrects.

    Of an income that comes with the correction, it is the rule of the day of the fee.
    """
    by_income = {}
    for income in facts.by_income:
        if income not in INCOMES:
            raise CannotPostError(NO_INCOME_ACCOUNT)
        rule = rule_of(income)
        if rule is None:
            raise CannotPostError(NO_SPLIT_RULE)
        by_income[income] = rule
    return journal.of_charge(facts, by_income)


def _of_payment(row: Mapping[str, Any], on: date) -> tuple[Entry, ...]:
    entry = journal.of_payment(
        row["id"],
        row["method"],
        row["amount_fen"],
        on,
        paid_for=f"{row['source']}:{row['source_id']}",
        payer=party_of(row["payer_id"], row["paying_company"]),
        debtor=party_of(row["debtor_id"], row["owing_company"]),
    )
    return (entry,)


def _of_top_up(row: Mapping[str, Any], on: date) -> tuple[Entry, ...]:
    payer = party_of(row["household_id"], row["company"])
    entry = journal.of_top_up(row["id"], payer, row["amount_fen"], on, row["method"])
    return (entry,)


def _day(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()


def _inactive(session: Session, drafted: Iterable[Claimed]) -> Refused:
    """Rows that would be posted to an account out of use."""
    inactive = {row["code"] for row in rows(session, INACTIVE)}
    return {
        row.key: ACCOUNT_INACTIVE
        for row in drafted
        if inactive.intersection(line.account for entry in row.entries for line in entry.lines)
    }


def _book(session: Session, drafted: list[Claimed]) -> Refused:
    """Post all at once; only when the database refuses that, look closer at each."""
    entries = [entry for row in drafted for entry in row.entries]
    if not entries or _posted(session, entries):
        return {}
    known = posting.recorded(session, entries)
    refused = _inactive(session, drafted) | _contradicted(drafted, known)
    new = [row for row in drafted if row.key not in refused and _unknown(row, known)]
    return refused | _post(session, new, known)


def _contradicted(drafted: Iterable[Claimed], known: Mapping[Any, bytes]) -> Refused:
    """Rows of which the books say something else already: an alarm, and nothing is posted."""
    refused: Refused = {}
    for row in drafted:
        said = {
            entry.key: journal.fingerprint(entry) for entry in row.entries if entry.key in known
        }
        if any(known[key] != fingerprint for key, fingerprint in said.items()):
            refused[row.key] = CONFLICT
            CONFLICTS.labels(row.table).inc()
            log.error("conflict", table=row.table, id=row.id)
    return refused


def _unknown(row: Claimed, known: Mapping[Any, bytes]) -> list[Entry]:
    return [entry for entry in row.entries if entry.key not in known]


def _post(session: Session, new: list[Claimed], known: Mapping[Any, bytes]) -> Refused:
    """Post all, or, when the database refuses, halve until the culprits stand alone."""
    if not new or _posted(session, [entry for row in new for entry in _unknown(row, known)]):
        return {}
    if len(new) == 1:
        log.error("entry refused", key=new[0].key)
        return {new[0].key: REFUSED}
    half = len(new) // 2
    return _post(session, new[:half], known) | _post(session, new[half:], known)


def _posted(session: Session, entries: list[Entry]) -> bool:
    """Post these entries unless the database refuses one of them; then none."""
    try:
        with session.begin_nested():
            posting.post(session, entries, clock.now())
    except (psycopg.IntegrityError, psycopg.DataError) as error:
        log.warning("refused", entries=len(entries), first=entries[0].key, error=str(error))
        return False
    return True


def _mark(session: Session, claimed: list[Claimed], refused: Refused) -> None:
    """Write on each source row that it is settled, or why not."""
    now = clock.now()
    for table in {row.table for row in claimed}:
        ours = [row for row in claimed if row.table == table]
        sql = f"""
            UPDATE {table} AS source SET
                settled_at = CASE WHEN verdict.reason IS NULL THEN %(now)s::timestamptz END,
                set_aside_reason = verdict.reason
            FROM unnest(%(ids)s::bigint[], %(reasons)s::text[]) AS verdict (id, reason)
            WHERE source.id = verdict.id
            RETURNING extract(epoch FROM settled_at - recorded_at)::float8 AS lag
        """  # noqa: S608 - table names of our own
        ids = [row.id for row in ours]
        reasons = [refused.get(row.key) for row in ours]
        for row in rows(session, sql, now=now, ids=ids, reasons=reasons):
            if row["lag"] is not None:
                LAG.labels(table).observe(row["lag"])
    if refused:
        log.warning("set aside", rows=len(refused), reasons=sorted(set(refused.values())))
