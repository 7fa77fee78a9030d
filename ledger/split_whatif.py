"""What other split rules would have made of a month's real charges; nothing is written."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from core.errors import invalid
from core.months import next_month
from ledger import division
from ledger.division import Split
from ledger.posting import rows
from ledger.settlement import EARLIER, RULES

# Charges that divide alike are counted together: those of equal amount, day and rule.
CHARGED = f"""
SELECT part.income, part.fen, coalesce((one.before ->> part.income)::bigint, 0) AS before_fen,
    one.ownership, one.lot, one.split_on, coalesce(one.booked, one.rules) AS rules,
    count(*) AS count, count(*) FILTER (WHERE part.place = 1) AS charges
FROM (
    SELECT c.income, c.amount_fen, c.parts, c.lot,
        CASE WHEN c.owner_household_id IS NULL THEN 'community' ELSE 'private' END AS ownership,
        (coalesce(fee.occurred_at, c.occurred_at) AT TIME ZONE %(zone)s)::date AS split_on,
        CASE WHEN e.split_rule_id IS NOT NULL THEN ARRAY[e.split_rule_id] ELSE (
            SELECT array_agg(DISTINCT p.split_rule_id) FROM posting AS p
            WHERE p.entry_id = e.id AND p.split_rule_id IS NOT NULL
        ) END AS booked, {EARLIER}
    FROM charge AS c LEFT JOIN charge AS fee ON fee.id = c.corrects_id
    LEFT JOIN journal_entry AS e ON e.source = 'charge' AND e.source_id = c.id
        AND e.purpose = 'settle'
    WHERE c.occurred_at >= %(opens)s AND c.occurred_at < %(closes)s
) AS one CROSS JOIN LATERAL (
    SELECT one.income, one.amount_fen AS fen, 1 AS place WHERE one.parts IS NULL
    UNION ALL
    SELECT key, value::bigint, place FROM jsonb_each_text(one.parts) WITH ORDINALITY
        AS part (key, value, place)
) AS part
GROUP BY 1, 2, 3, 4, 5, 6, 7
"""  # noqa: S608 - constants of ours

PROPOSED = 0
"""The number of a rule that is not recorded."""

LOTS = "SELECT code FROM lot WHERE code = ANY(%(codes)s)"


class Recipients(NamedTuple):
    """Who has how much, in fen; what no rule divides is nobody's yet."""

    fund_fen: int
    cost_fen: int
    provider_fen: int
    owners_fen: int
    undivided_fen: int


Used = tuple[int, ...]
Both = tuple[Split | None, Split | None]
"""The rule as is, and the one that would be."""


def what_if(
    session: Session,
    *,
    month: str | None,
    rules: Sequence[Mapping[str, Any]],
    now: datetime,
    zone: ZoneInfo,
) -> dict[str, Any]:
    """Divide the charges of a month (`2026-10`; None: the last before `now`) as is and by `rules`.

    Each of `rules` (income, ownership, lot, cost_permille, shares) stands for one that is in
    force all month. What was charged then for the fees of earlier months stays as it is.
    Problem 422 for a lot that is not there or two rules of one kind.
    """
    first = _first_day(month, now, zone)
    proposed = [_proposed(rule, first) for rule in rules]
    _check(session, proposed)
    known = [Split(**row) for row in rows(session, RULES)]
    kinds = {_kind(rule) for rule in proposed}
    mixed = [*(rule for rule in known if _kind(rule) not in kinds), *proposed]
    opens, closes = (datetime(d.year, d.month, 1, tzinfo=zone) for d in (first, next_month(first)))
    found = rows(session, CHARGED, opens=opens, closes=closes, zone=zone.key)
    incomes = {
        income: _compared([row for row in found if row["income"] == income], known, mixed)
        for income in sorted({row["income"] for row in found})
    }
    return {
        "month": f"{first:%Y-%m}",
        **_total(sum(row["charges"] for row in found), incomes.values()),
        "incomes": [{"income": income} | compared for income, compared in incomes.items()],
    }


def _compared(
    found: Iterable[Mapping[str, Any]], known: Sequence[Split], mixed: Sequence[Split]
) -> dict[str, Any]:
    """One income, divided both ways: `mixed` are the rules with the proposed ones among them."""

    @cache
    def rules_of(income: str, ownership: str, lot: str | None, on: date, used: Used) -> Both:
        kept = [rule for rule in known if rule.id in used and rule.income == income]
        as_is = kept[0] if kept else division.rule_for(known, income, ownership, on, lot)
        would_be = division.rule_for(mixed, income, ownership, on, lot)
        return as_is, would_be if would_be and would_be.id == PROPOSED else as_is

    alike: Counter[tuple[int, int, Both]] = Counter()
    for row in found:
        kind = row["income"], row["ownership"], row["lot"], row["split_on"]
        rules = rules_of(*kind, tuple(row["rules"] or ()))
        alike[row["fen"], row["before_fen"], rules] += row["count"]
    now = _sum((_divided(fen, before, old), n) for (fen, before, (old, _)), n in alike.items())
    then = _sum((_divided(fen, before, new), n) for (fen, before, (_, new)), n in alike.items())
    amount_fen = sum(fen * count for (fen, _, _), count in alike.items())
    return _shown(alike.total(), amount_fen, now, then)


def _divided(fen: int, before_fen: int, rule: Split | None) -> Recipients:
    if rule is None:
        return Recipients(0, 0, 0, 0, fen)
    part = rule.divide(before_fen + fen).less(rule.divide(before_fen))
    return Recipients(part.fund_fen, part.cost_fen, part.provider_fen, part.owner_fen, 0)


def _sum(parts: Iterable[tuple[Recipients, int]]) -> Recipients:
    """All of them, each so many times."""
    total = [0] * len(Recipients._fields)
    for part, times in parts:
        total = [sum_ + times * fen for sum_, fen in zip(total, part, strict=True)]
    return Recipients(*total)


def _shown(count: int, amount_fen: int, now: Recipients, then: Recipients) -> dict[str, Any]:
    return {
        "charges": count,
        "amount_fen": amount_fen,
        "now": now,
        "then": then,
        "difference": _sum([(then, 1), (now, -1)]),
    }


def _total(charges: int, compared: Collection[Mapping[str, Any]]) -> dict[str, Any]:
    amount_fen = sum(one["amount_fen"] for one in compared)
    now, then = (_sum((one[side], 1) for one in compared) for side in ("now", "then"))
    return _shown(charges, amount_fen, now, then)


def _proposed(rule: Mapping[str, Any], first: date) -> Split:
    """A rule that no vote has made yet, in force from the first day of the month."""
    return Split(
        id=PROPOSED,
        income=rule["income"],
        ownership=rule["ownership"],
        lot=rule["lot"],
        cost_permille=rule["cost_permille"],
        valid_from=first,
        **rule["shares"],
    )


def _kind(rule: Split) -> tuple[str, str, str | None]:
    return rule.income, rule.ownership, rule.lot


def _check(session: Session, proposed: Sequence[Split]) -> None:
    kinds = [_kind(rule) for rule in proposed]
    if len(set(kinds)) < len(kinds):
        raise invalid("rules", "has two of one income, ownership and lot")
    named = {rule.lot for rule in proposed if rule.lot}
    there = {row["code"] for row in rows(session, LOTS, codes=sorted(named))}
    if named - there:
        raise invalid("rules", f"there is no lot {min(named - there)}")


def _first_day(month: str | None, now: datetime, zone: ZoneInfo) -> date:
    if month is None:
        return (now.astimezone(zone).date().replace(day=1) - timedelta(days=1)).replace(day=1)
    return date.fromisoformat(f"{month}-01")
