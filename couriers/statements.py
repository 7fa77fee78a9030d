"""The statement of a company's month: what it left, was charged, paid and paid in; and its own."""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import invalid
from core.months import next_month
from couriers import deposits
from couriers.models import SIZES, CourierCompany, CourierStatement
from ledger.posting import rows

COLUMNS = ("size", "deposits", "fees_fen")
WHOLE = re.compile(r"[0-9]{1,15}")

# What moved before, in, and until the end of a month, in fen.
MOVED = """
SELECT
    coalesce(sum(fen) FILTER (WHERE what = 'accrual' AND within), 0)::bigint AS accrued_fen,
    coalesce(sum(fen) FILTER (WHERE what = 'top-up' AND within), 0)::bigint AS top_ups_fen,
    coalesce(sum(fen) FILTER (WHERE what = 'balance' AND within), 0)::bigint
        AS paid_from_balance_fen,
    coalesce(sum(fen) FILTER (WHERE what = 'cash' AND within), 0)::bigint AS paid_in_cash_fen,
    coalesce(sum(CASE what WHEN 'top-up' THEN fen WHEN 'balance' THEN -fen END)
        FILTER (WHERE NOT within), 0)::bigint AS opening_balance_fen,
    coalesce(sum(CASE what WHEN 'top-up' THEN fen WHEN 'balance' THEN -fen END), 0)::bigint
        AS closing_balance_fen,
    coalesce(sum(CASE what WHEN 'top-up' THEN 0 WHEN 'balance' THEN -fen WHEN 'cash' THEN -fen
        ELSE fen END), 0)::bigint AS owed_fen
FROM (
    SELECT source AS what, amount_fen AS fen, occurred_at >= %(since)s AS within
    FROM charge WHERE company = %(party)s AND occurred_at < %(until)s
    UNION ALL
    SELECT method, amount_fen, occurred_at >= %(since)s
    FROM payment WHERE company = %(party)s AND occurred_at < %(until)s
    UNION ALL
    SELECT 'top-up', amount_fen, occurred_at >= %(since)s
    FROM top_up WHERE company = %(party)s AND occurred_at < %(until)s
) AS moves
"""


@dataclass(frozen=True, slots=True)
class SizeSaid:
    """What a company's own statement says about one size: parcels, and fees in fen."""

    size: str
    deposits: int
    fees_fen: int


def statement(
    session: Session, company: CourierCompany, month: date, zone: ZoneInfo
) -> dict[str, Any]:
    """A company's month, so far if it is not over; `month` is its first day.

    `sizes` has the deposits counted by size, at the rate of their day and as charged;
    `difference_fen` is the first less the second, and `differences` says why, summing to it.
    `owed_fen` and the closing balance are those of the month's end. `theirs` is what the
    company said itself, if it did.
    """
    found = deposits.tied_out(session, company, month, zone)
    since, until = (deposits.midnight(day, zone) for day in (month, next_month(month)))
    [moved] = rows(session, MOVED, party=company.party, since=since, until=until)
    counted_fen = sum(row["counted_fen"] for row in found)
    charged_fen = sum(row["charged_fen"] for row in found)
    return {
        "company": company.code,
        "month": f"{month:%Y-%m}",
        "sizes": [_of_size(found, size) for size in SIZES],
        "deposits": sum(row["deposits"] for row in found),
        "counted_fen": counted_fen,
        "charged_fen": charged_fen,
        "difference_fen": counted_fen - charged_fen,
        "differences": _differences(found),
        **moved,
        "theirs": _newest(session, company, month),
    }


def compare(
    session: Session,
    company: CourierCompany,
    month: date,
    said: Iterable[SizeSaid],
    *,
    recorded_by: int,
    zone: ZoneInfo,
) -> CourierStatement:
    """Lay a company's own statement beside our count and charges, size by size, and keep both.

    Sizes it does not name it says nothing was left of. Problem 422 for a size named twice.
    """
    theirs = _each_once(said)
    found = deposits.tied_out(session, company, month, zone)
    sizes = [_beside(theirs.get(size, SizeSaid(size, 0, 0)), found) for size in SIZES]
    compared = CourierStatement(
        company_id=company.id,
        month=month,
        sizes=sizes,
        agrees=all(
            (row["deposits"], row["fees_fen"]) == (row["counted"], row["charged_fen"])
            for row in sizes
        ),
        recorded_by=recorded_by,
        recorded_at=clock.now(),
    )
    session.add(compared)
    session.flush()
    return compared


def read_csv(text: str) -> list[SizeSaid]:
    """The rows of a statement in CSV with the columns size, deposits, fees_fen.

    Problem 422 naming the row that cannot be read.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    lines = [[field.strip() for field in line] for line in reader if line]
    if not lines or tuple(lines[0]) != COLUMNS:
        raise invalid("csv", f"the first line must be {','.join(COLUMNS)}")
    return [_read(line, number) for number, line in enumerate(lines[1:], start=1)]


def _read(line: list[str], number: int) -> SizeSaid:
    size, *counts = line
    whole = [int(count) for count in counts if WHOLE.fullmatch(count)]
    if size not in SIZES or (len(counts), len(whole)) != (2, 2):
        raise invalid("csv", f"row {number} must be a size (S, M, L), a count and whole fen")
    return SizeSaid(size, *whole)


def _each_once(said: Iterable[SizeSaid]) -> dict[str, SizeSaid]:
    by_size: dict[str, SizeSaid] = {}
    for row in said:
        if row.size in by_size:
            raise invalid("rows", f"names size {row.size} twice")
        by_size[row.size] = row
    return by_size


def _beside(them: SizeSaid, found: Iterable[DictRow]) -> dict[str, Any]:
    """What a company says about a size, and what we count and charged."""
    ours = _of_size(found, them.size)
    return {
        "size": them.size,
        "deposits": them.deposits,
        "fees_fen": them.fees_fen,
        "counted": ours["deposits"],
        "charged_fen": ours["charged_fen"],
    }


def _of_size(found: Iterable[DictRow], size: str) -> dict[str, Any]:
    ours = [row for row in found if row["size"] == size]
    sums = {
        name: sum(row[name] for row in ours) for name in ("deposits", "counted_fen", "charged_fen")
    }
    return {"size": size, **sums}


def _differences(found: Iterable[DictRow]) -> list[dict[str, Any]]:
    """Why counted and charged differ: each reason once, with its parcels and its fen."""
    by_why: dict[str, dict[str, Any]] = {}
    for row in found:
        if row["why"] is not None:
            reason = by_why.setdefault(row["why"], {"why": row["why"], "parcels": 0, "fen": 0})
            reason["parcels"] += row["parcels"]
            reason["fen"] += row["counted_fen"] - row["charged_fen"]
    return [by_why[why] for why in sorted(by_why)]


def _newest(session: Session, company: CourierCompany, month: date) -> CourierStatement | None:
    query = select(CourierStatement).where(
        CourierStatement.company_id == company.id, CourierStatement.month == month
    )
    return session.scalar(query.order_by(CourierStatement.id.desc()).limit(1))
