"""明细账: the postings of an account or a party in order, each with the balance it left."""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy.orm import Session

from ledger.posting import rows
from reports.balances import ALL, balances
from reports.report import Report, stamp

OF = "posted_on BETWEEN %(since)s AND %(until)s AND {whose}"
WHOSE = {
    (True, False): "account = %(account)s",
    (False, True): "party = %(party)s",
    (True, True): "account = %(account)s AND party = %(party)s",
}
"""By whether an account and a party are named."""

LINES = """
SELECT p.*, e.book, e.occurred_on, e.source || ':' || e.source_id AS source, e.memo,
    (%(opening_fen)s + p.moved_fen)::bigint AS balance_fen
FROM (
    SELECT entry_id, line, account, party, amount_fen, posted_on,
        sum(amount_fen) OVER (
            ORDER BY posted_on, entry_id, line ROWS UNBOUNDED PRECEDING
        ) AS moved_fen
    FROM posting WHERE {of}
    ORDER BY posted_on, entry_id, line OFFSET %(offset)s LIMIT %(limit)s
) AS p
JOIN journal_entry AS e ON e.id = p.entry_id
ORDER BY p.posted_on, p.entry_id, p.line
"""

TOTALS = """
SELECT count(*) AS count, coalesce(sum(amount_fen) FILTER (WHERE amount_fen > 0), 0)::bigint
        AS debit_fen,
    coalesce(-sum(amount_fen) FILTER (WHERE amount_fen < 0), 0)::bigint AS credit_fen
FROM posting WHERE {of}
"""

BEFORE = """
SELECT coalesce(sum(amount_fen), 0)::bigint AS fen FROM posting
WHERE posted_on < %(since)s AND {whose}
"""


@dataclass(frozen=True, slots=True)
class Whose:
    """An account, a party, or what an account says of a party."""

    account: str | None = None
    party: str | None = None


@dataclass(frozen=True, slots=True)
class RunningLine:
    """A posting, debit positive, and the balance after it."""

    entry_id: int
    book: str
    posted_on: date
    occurred_on: date
    source: str
    memo: str
    account: str
    party: str | None
    amount_fen: int
    balance_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Running(Report):
    """One page of the lines of a period; the sums are those of the whole period.

    A party's balance is over all its accounts: above zero the party owes.
    """

    since: date
    until: date
    account: str | None
    party: str | None
    opening_fen: int
    debit_fen: int
    credit_fen: int
    count: int
    rows: list[RunningLine]

    @property
    def closing_fen(self) -> int:
        """The balance as the period ends."""
        return self.opening_fen + self.debit_fen - self.credit_fen


def running(
    session: Session, whose: Whose, since: date, until: date, *, offset: int, limit: int
) -> Running:
    """The lines from `since` to `until`, both included, by posting date; cut to a page."""
    condition = WHOSE[whose.account is not None, whose.party is not None]
    of = OF.format(whose=condition)
    values = {"account": whose.account, "party": whose.party, "since": since, "until": until}
    opening = _opening(session, whose, since, condition)
    page = {"opening_fen": opening, "offset": offset, "limit": limit}
    names = RunningLine.__slots__
    lines = [
        RunningLine(**{name: row[name] for name in names})
        for row in rows(session, LINES.format(of=of), **values, **page)
    ]
    return Running(
        **stamp(session, until, None, ALL),
        since=since,
        until=until,
        account=whose.account,
        party=whose.party,
        opening_fen=opening,
        **rows(session, TOTALS.format(of=of), **values)[0],
        rows=lines,
    )


def _opening(session: Session, whose: Whose, since: date, condition: str) -> int:
    """The balance the evening before; an account's comes from the rollups."""
    if whose.party is None:
        return balances(session, since - timedelta(days=1)).get(str(whose.account), 0)
    values = {"account": whose.account, "party": whose.party, "since": since}
    return int(rows(session, BEFORE.format(whose=condition), **values)[0]["fen"])
