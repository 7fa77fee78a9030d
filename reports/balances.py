"""What every account's balance is at the end of a day, from rollups; and what was known of it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg.rows import DictRow
from sqlalchemy.orm import Session

from core.months import month_end
from ledger.posting import rows

# The month's rollup less its later postings: as of today these are few or none.
FROM_ROLLUPS = """
SELECT account.code AS account,
    (coalesce(rolled.fen, 0) - coalesce(later.fen, 0))::bigint AS net_fen,
    rolled.account IS NOT NULL AS used
FROM account
LEFT JOIN (
    SELECT account, sum(debit_fen - credit_fen) AS fen FROM account_month
    WHERE month <= %(as_of)s GROUP BY account
) AS rolled ON rolled.account = account.code
LEFT JOIN LATERAL (
    SELECT sum(amount_fen) AS fen FROM posting
    WHERE posting.account = rolled.account
        AND posting.posted_on > %(as_of)s AND posting.posted_on <= %(month_end)s
) AS later ON true
WHERE account.book = coalesce(%(book)s, account.book)
"""

FROM_POSTINGS = """
SELECT account.code AS account, coalesce(posted.fen, 0)::bigint AS net_fen,
    posted.account IS NOT NULL AS used
FROM account
LEFT JOIN (
    SELECT account, sum(amount_fen) AS fen FROM posting JOIN journal_entry AS e ON e.id = entry_id
    WHERE posting.posted_on <= %(as_of)s AND {known}
    GROUP BY account
) AS posted ON posted.account = account.code
WHERE account.book = coalesce(%(book)s, account.book)
"""

MONTHS_FROM_ROLLUPS = """
SELECT rolled.account, rolled.month,
    (rolled.fen - coalesce(before.fen, 0) - coalesce(later.fen, 0))::bigint AS net_fen
FROM (
    SELECT account, month, sum(debit_fen - credit_fen) AS fen FROM account_month
    WHERE month BETWEEN %(first_month)s AND %(until)s GROUP BY account, month
) AS rolled
JOIN account ON account.code = rolled.account
LEFT JOIN LATERAL (
    SELECT sum(amount_fen) AS fen FROM posting
    WHERE posting.account = rolled.account AND rolled.month = %(first_month)s
        AND posting.posted_on >= %(first_month)s AND posting.posted_on < %(since)s
) AS before ON true
LEFT JOIN LATERAL (
    SELECT sum(amount_fen) AS fen FROM posting
    WHERE posting.account = rolled.account AND rolled.month = %(last_month)s
        AND posting.posted_on > %(until)s AND posting.posted_on <= %(month_end)s
) AS later ON true
WHERE account.book = coalesce(%(book)s, account.book)
"""

MONTHS_FROM_POSTINGS = """
SELECT posting.account, date_trunc('month', posting.posted_on::timestamp)::date AS month,
    sum(amount_fen)::bigint AS net_fen
FROM posting JOIN journal_entry AS e ON e.id = entry_id
WHERE posting.posted_on BETWEEN %(since)s AND %(until)s
    AND e.book = coalesce(%(book)s, e.book) AND {known}
GROUP BY 1, 2
"""

KNOWN = """(%(known_at)s::timestamptz IS NULL OR e.recorded_at <= %(known_at)s)
    AND (%(last_entry)s::bigint IS NULL OR e.id <= %(last_entry)s)"""
"""What was recorded by an instant, and up to an entry; of an entry called `e`."""

CHART = """
SELECT code, book, name_zh, name_en, type, restricted, normal_side, active FROM account
WHERE book = coalesce(%(book)s, book) ORDER BY code
"""


@dataclass(frozen=True, slots=True)
class Known:
    """How much of the books counts: what was recorded by `at`, and entries up to `last_entry`.

    Nothing given: all of it, which is what the rollups say.
    """

    at: datetime | None = None
    last_entry: int | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self.at is None and self.last_entry is None

    @property
    def values(self) -> dict[str, Any]:
        """For the places of `KNOWN`."""
        return {"known_at": self.at, "last_entry": self.last_entry}


ALL = Known()


def chart(session: Session, book: str | None = None) -> list[DictRow]:
    """The accounts of one book or of all, by code."""
    return rows(session, CHART, book=book)


def balances(
    session: Session, as_of: date, book: str | None = None, known: Known = ALL
) -> dict[str, int]:
    """Fen by account, debit positive, at the end of `as_of`; accounts never used are left out."""
    sql = FROM_ROLLUPS if known.everything else FROM_POSTINGS.format(known=KNOWN)
    values = {"as_of": as_of, "month_end": month_end(as_of), "book": book}
    found = rows(session, sql, **values, **known.values)
    return {row["account"]: row["net_fen"] for row in found if row["used"]}


def by_month(
    session: Session, since: date, until: date, book: str | None = None, known: Known = ALL
) -> dict[tuple[str, date], int]:
    """Fen by account and month, debit positive, posted from `since` to `until`, both included.

    A month is named by its first day; one in which an account did not move may be missing.
    """
    sql = MONTHS_FROM_ROLLUPS if known.everything else MONTHS_FROM_POSTINGS.format(known=KNOWN)
    values = {
        "since": since,
        "until": until,
        "first_month": since.replace(day=1),
        "last_month": until.replace(day=1),
        "month_end": month_end(until),
        "book": book,
    }
    found = rows(session, sql, **values, **known.values)
    return {(row["account"], row["month"]): row["net_fen"] for row in found}
