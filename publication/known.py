"""As published, as known now: a month beside itself, and every entry in between with its reason."""

from typing import Any

from psycopg.rows import DictRow
from sqlalchemy.orm import Session

from ledger.periods import Month
from ledger.posting import rows
from publication import corrections
from publication.figures import moved
from publication.models import Publication
from reports.balances import Known, chart

BETWEEN = """
SELECT e.id AS entry, e.book, e.source || ':' || e.source_id AS source, e.purpose, e.occurred_on,
    e.posted_on, e.recorded_at, e.reverses_id, e.memo, note.id AS correction, note.reason,
    note.published_at, line.postings
FROM correction_entry JOIN correction AS note ON note.id = correction_id
JOIN journal_entry AS e ON e.id = entry_id
CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('account', account, 'party', party,
        'amount_fen', amount_fen, 'split_rule_id', split_rule_id) ORDER BY line) AS postings
    FROM posting WHERE posting.entry_id = e.id
) AS line
WHERE note.month = %(month)s
    AND NOT (e.id <= %(last_entry)s AND e.posted_on BETWEEN %(month)s AND %(last)s)
ORDER BY e.id, note.id
"""


def side_by_side(session: Session, edition: Publication) -> dict[str, Any]:
    """What an edition says the month moved, what is known of it now, and why that differs.

    With notes that are still drafts: for those who keep and audit the books.
    """
    then = moved(session, edition.month, Known(last_entry=edition.last_entry_id))
    notes = [note.id for note in session.scalars(corrections.corrections(edition.month))]
    now = corrections.known_now(session, edition, notes)
    return {
        "month": f"{edition.month:%Y-%m}",
        "edition": edition.edition,
        "accounts": compared(session, then, now),
        "between": _between(session, edition),
    }


def compared(session: Session, then: dict[str, int], now: dict[str, int]) -> list[dict[str, Any]]:
    """Account by account, debit positive; those that moved in neither are left out."""
    return [
        {
            **{name: line[name] for name in ("book", "name_zh", "name_en")},
            "account": line["code"],
            "published_fen": then.get(line["code"], 0),
            "known_fen": now.get(line["code"], 0),
        }
        for line in chart(session)
        if then.get(line["code"]) or now.get(line["code"])
    ]


def _between(session: Session, edition: Publication) -> list[DictRow]:
    month = Month(edition.month)
    values = {"month": month.first, "last": month.last, "last_entry": edition.last_entry_id}
    return rows(session, BETWEEN, **values)
