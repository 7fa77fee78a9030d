"""Parcels that a company's couriers left in a month, beside what it was charged for them."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow
from sqlalchemy.orm import Session

from core.months import next_month
from couriers.models import CourierCompany
from couriers.rates import rate
from ledger.posting import rows

# A deposit belongs to the company that was charged for it; to the courier's company while
# nobody was. So it stays where it was when the courier changes the company.
LEFT = """
SELECT parcel.id, parcel.size, parcel.cabinet_id,
    (coalesce(parcel.reserved_at, parcel.deposited_at) AT TIME ZONE %(zone)s)::date AS day
FROM courier JOIN parcel ON parcel.courier_id = courier.id
LEFT JOIN charge AS fee
    ON fee.kind = 'fee' AND fee.source = 'deposit' AND fee.source_id = parcel.id
WHERE courier.company_id = %(company)s AND coalesce(fee.company, %(party)s) = %(party)s
  AND parcel.deposited_at >= %(since)s AND parcel.deposited_at < %(until)s
UNION
SELECT parcel.id, parcel.size, parcel.cabinet_id,
    (coalesce(parcel.reserved_at, parcel.deposited_at) AT TIME ZONE %(zone)s)::date
FROM charge AS fee JOIN parcel ON parcel.id = fee.source_id
WHERE fee.company = %(party)s AND fee.source = 'deposit' AND fee.kind = 'fee'
  AND fee.occurred_at >= %(since)s AND fee.occurred_at < %(until)s
  AND parcel.deposited_at >= %(since)s AND parcel.deposited_at < %(until)s
"""

CHARGED = """
SELECT source_id AS id, sum(amount_fen) AS fen, bool_or(kind <> 'fee') AS corrected
FROM charge
WHERE company = %(party)s AND source = 'deposit'
  AND occurred_at >= %(since)s AND occurred_at < %(until)s
GROUP BY source_id
"""

COUNTED = f"""
SELECT count(parcel.id) AS deposits, coalesce(sum(charged.fen), 0)::bigint AS fees_fen
FROM ({LEFT}) AS parcel FULL JOIN ({CHARGED}) AS charged USING (id)
LEFT JOIN parcel AS its ON its.id = charged.id
WHERE %(cabinet)s::bigint IS NULL
   OR coalesce(parcel.cabinet_id, its.cabinet_id) = %(cabinet)s
"""  # noqa: S608 - constants of ours

# `why` is null where a parcel was charged what its size cost that day.
TIED_OUT = f"""
WITH parcel_left AS ({LEFT}),
priced AS (
    SELECT size, day, {rate(company="%(company)s", size="days.size", day="days.day")} AS fen
    FROM (SELECT DISTINCT size, day FROM parcel_left) AS days
),
counted AS (
    SELECT parcel_left.id, size, priced.fen FROM parcel_left LEFT JOIN priced USING (size, day)
),
compared AS (
    SELECT id, coalesce(counted.size, its.size) AS size, counted.id IS NOT NULL AS counted,
        coalesce(counted.fen, 0) AS counted_fen, coalesce(charged.fen, 0) AS charged_fen,
        CASE
            WHEN coalesce(counted.fen, 0) = coalesce(charged.fen, 0) THEN NULL
            WHEN its.id IS NULL AND counted.id IS NULL THEN 'no-parcel'
            WHEN charged.corrected THEN 'corrected'
            WHEN counted.id IS NULL THEN 'of-another-month'
            WHEN charged.id IS NULL THEN 'not-charged'
            ELSE 'at-another-rate'
        END AS why
    FROM counted FULL JOIN ({CHARGED}) AS charged USING (id)
    LEFT JOIN parcel AS its USING (id)
)
SELECT size, why, count(*) FILTER (WHERE counted) AS deposits, count(*) AS parcels,
    sum(counted_fen)::bigint AS counted_fen, sum(charged_fen)::bigint AS charged_fen
FROM compared GROUP BY size, why ORDER BY size, why
"""  # noqa: S608 - constants of ours


def tied_out(
    session: Session, company: CourierCompany, month: date, zone: ZoneInfo
) -> list[DictRow]:
    """A month's deposits of a company by size, and by why its charge is not what its size costs.

    Rows of size, why, deposits, parcels, counted_fen (deposits at the rate of their day) and
    charged_fen. `why` is None, `no-parcel`, `corrected`, `of-another-month`, `not-charged` or
    `at-another-rate`; size is None where there is no parcel.
    """
    return rows(session, TIED_OUT, **_about(company, month, next_month(month), zone))


def counted(
    session: Session,
    company: CourierCompany,
    first: date,
    last: date,
    zone: ZoneInfo,
    cabinet: int | None,
) -> tuple[int, int]:
    """How many parcels a company left on these days, at one cabinet or at all, and fen charged."""
    about = _about(company, first, last + timedelta(days=1), zone)
    [row] = rows(session, COUNTED, **about, cabinet=cabinet)
    return row["deposits"], row["fees_fen"]


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day of the community begins."""
    return datetime.combine(day, time(), zone)


def _about(company: CourierCompany, since: date, until: date, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "company": company.id,
        "party": company.party,
        "zone": zone.key,
        "since": midnight(since, zone),
        "until": midnight(until, zone),
    }
