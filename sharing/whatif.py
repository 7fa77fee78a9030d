"""What a month's real stays would have cost under other rules: who pays more, and how much in all.

Both prices of a stay are reckoned the same way: up to the instant it was priced at the gate, with
its own permits, booking and vehicle. Charging an e-bike is priced apart and stays as it was.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow, dict_row
from sqlalchemy.orm import Session

from core.db import driver, fetch_row
from core.errors import Problem, not_found
from parking.facts import bill_of
from parking.fees import Bill, owed
from parking.stays import STAYS
from sharing import fairness
from tariffs.days import overrides
from tariffs.tariff import Rules, Tariff, TariffError, parse_rules

MOST_HOUSEHOLDS = 20
BATCH = 1000

TARIFF = """
SELECT t.id, t.version, t.rules, t.lot_id, lot.code AS lot
FROM tariff t JOIN lot ON lot.id = t.lot_id WHERE t.id = %(id)s
"""

OF_MONTH = (
    STAYS
    + """
WHERE s.lot_id = %(lot)s AND s.status = 'closed'
  AND s.entered_at >= %(opens)s AND s.entered_at < %(closes)s
"""
)


@dataclass(frozen=True, slots=True)
class Repriced:
    """One stay priced twice, in fen; `entered_at` is the wall clock's."""

    entered_at: datetime
    household_id: int | None
    actual_fen: int
    proposed_fen: int


def what_if(
    session: Session,
    tariff_id: int,
    *,
    month: str | None,
    rules: Mapping[str, Any] | None,
    now: datetime,
    zone: ZoneInfo,
) -> dict[str, Any]:
    """Compare what the closed stays of the tariff's lot that began in a month cost and would cost.

    `month` is like `2026-10`, None the last one before `now`; without `rules` the tariff's own
    are tried. Problem 404 if there is no such tariff, 422 naming the rule that is broken.
    """
    connection = driver(session)
    tariff = fetch_row(connection, (TARIFF, {"id": tariff_id}))
    if tariff is None:
        raise not_found("tariff")
    proposed = Tariff(
        tariff["id"], tariff["version"], zone, _parsed(tariff["rules"] if rules is None else rules)
    )
    name = month or _month_before(now, zone)
    opens, closes = fairness.month_named(name, zone)
    values = {"lot": tariff["lot_id"], "opens": opens, "closes": closes}
    with connection.cursor("what_if", row_factory=dict_row) as cursor:
        cursor.itersize = BATCH
        rows = cursor.execute(OF_MONTH, values)
        compared = compare(_repriced(rows, proposed, zone))
    return {"lot": tariff["lot"], "month": name} | compared


def compare(stays: Iterable[Repriced]) -> dict[str, Any]:
    """Two prices of every stay summed up: totals, who pays more or less, and when.

    `by_hour` and `by_weekday` (Monday first) are the differences by the entry's wall clock.
    """
    count = same = actual = proposed = 0
    more, less = _Side(), _Side()
    by_hour, by_weekday = [0] * 24, [0] * 7
    of_household, stays_of = Counter[int](), Counter[int]()
    for stay in stays:
        difference = stay.proposed_fen - stay.actual_fen
        count, same = count + 1, same + (difference == 0)
        actual, proposed = actual + stay.actual_fen, proposed + stay.proposed_fen
        more.add(max(0, difference))
        less.add(min(0, difference))
        by_hour[stay.entered_at.hour] += difference
        by_weekday[stay.entered_at.weekday()] += difference
        if stay.household_id is not None:
            of_household[stay.household_id] += difference
            stays_of[stay.household_id] += 1
    return {
        "stays": count,
        "actual_fen": actual,
        "proposed_fen": proposed,
        "difference_fen": proposed - actual,
        "pay_more": more.as_json(),
        "pay_less": less.as_json(),
        "same": same,
        "households": _households(of_household, stays_of),
        "by_hour": by_hour,
        "by_weekday": by_weekday,
    }


@dataclass(slots=True)
class _Side:
    """Stays whose price changes one way."""

    stays: int = 0
    fen: int = 0

    def add(self, fen: int) -> None:
        self.stays += fen != 0
        self.fen += fen

    def as_json(self) -> dict[str, int]:
        return {"stays": self.stays, "fen": self.fen}


def _households(difference: Counter[int], stays: Counter[int]) -> list[dict[str, Any]]:
    """The households whom it changes most, without their names."""
    changed = [household for household, fen in difference.items() if fen]
    most = sorted(changed, key=lambda one: (-abs(difference[one]), one))[:MOST_HOUSEHOLDS]
    return [
        {"household": f"H{place}", "stays": stays[one], "difference_fen": difference[one]}
        for place, one in enumerate(most, start=1)
    ]


def _repriced(rows: Iterable[DictRow], proposed: Tariff, zone: ZoneInfo) -> Iterator[Repriced]:
    for row in rows:
        bill = bill_of(row, zone)
        until = _priced_until(bill, row["exited_at"])
        calendar = overrides(row["calendar"])
        yield Repriced(
            entered_at=bill.entered_at.astimezone(zone),
            household_id=row["stay_household_id"],
            actual_fen=_fee_fen(bill, bill.tariff, until),
            proposed_fen=_fee_fen(bill, replace(proposed, calendar=calendar), until),
        )


def _fee_fen(bill: Bill, tariff: Tariff | None, until: datetime) -> int:
    """The price of a stay as if nothing had been charged or paid before."""
    untouched = replace(
        bill,
        tariff=tariff,
        charged_fen=0,
        paid_fen=0,
        charged_at=None,
        moved_at=None,
        charged_parts={},
    )
    return owed(untouched, until).total_fen


def _priced_until(bill: Bill, exited_at: datetime) -> datetime:
    """Who paid and left in time was priced when the charge was raised, anybody else on leaving."""
    if bill.tariff is None or bill.charged_at is None or bill.moved_at is None:
        return exited_at
    in_time = bill.moved_at + timedelta(minutes=bill.tariff.rules.leave_within_minutes)
    return min(exited_at, bill.charged_at) if exited_at <= in_time else exited_at


def _parsed(rules: Mapping[str, Any]) -> Rules:
    try:
        return parse_rules(rules)
    except TariffError as error:
        errors = {f"rules.{name}": said for name, said in error.errors.items()}
        raise Problem(422, "invalid", "These rules are no tariff.", errors=errors) from error


def _month_before(now: datetime, zone: ZoneInfo) -> str:
    this_month = fairness.month_of(now, zone)[0].astimezone(zone)
    return f"{this_month - timedelta(days=1):%Y-%m}"
