"""What every report carries: of which day and instant, what is unsettled, the chains' heads."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from core.app import settings
from ledger import seals
from ledger.posting import rows
from ledger.seals import Day
from reports.balances import Known

UNSETTLED = """
SELECT count(*) AS count, coalesce(sum(abs(amount_fen)), 0)::bigint AS amount_fen
FROM source_row WHERE (occurred_at AT TIME ZONE %(zone)s)::date <= %(as_of)s AND {when}
"""
NOW = "settled_at IS NULL"
THEN = """recorded_at <= %(known_at)s AND (settled_at IS NULL OR settled_at > %(known_at)s)"""


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Source rows that are not in the books yet; their fen summed without sign."""

    count: int
    amount_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report: of one book or all (`book` None), at the end of `as_of`.

    Only what was recorded by `known_at` counts, if that is given. The heads are today's, so that
    a printed report can be held against the chains.
    """

    as_of: date
    book: str | None
    known_at: datetime | None
    unsettled: Unsettled
    heads: list[Day]


def stamp(session: Session, as_of: date, book: str | None, known: Known) -> dict[str, Any]:
    """The fields of `Report`."""
    return {
        "as_of": as_of,
        "book": book,
        "known_at": known.at,
        "unsettled": unsettled(session, as_of, known),
        "heads": heads(session, book),
    }


def unsettled(session: Session, as_of: date, known: Known) -> Unsettled:
    """What happened up to `as_of` and is not in the books, or was not by then."""
    sql = UNSETTLED.format(when=THEN if known.at else NOW)
    values = {"as_of": as_of, "zone": settings().zone.key, "known_at": known.at}
    return Unsettled(**rows(session, sql, **values)[0])


def heads(session: Session, book: str | None) -> list[Day]:
    """The head of every book's chain, or of one book's."""
    return [day for day in seals.heads(session) if book in {None, day.book}]
