"""公示: what a close publishes, and how its pack is made again at any later time."""

import hashlib
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.app import settings
from core.errors import Problem, not_found
from identity.models import Person
from ledger import periods, seals
from ledger.models import Book, JournalEntry, PeriodEvent
from ledger.periods import Month
from publication import corrections, page, summary
from publication.detail import LEAST_PAYERS
from publication.figures import Edition, edition
from publication.heads import told
from publication.models import Publication
from publication.pack import FORMAT, as_json, detail_csv, figures_csv, readme, zipped
from reports.journal_rows import chart_lines
from reports.target import YEARLY_TARGET_FEN


def close_and_publish(
    session: Session, month: Month, person_id: int, reason: str | None
) -> Publication:
    """Close a month that another person asked to close, and publish its next edition."""
    return publish(session, periods.close(session, month, person_id, reason))


def publish(session: Session, closed: PeriodEvent) -> Publication:
    """The next edition of a month, in the transaction that closed it."""
    earlier = editions(session, closed.month)
    row = Publication(
        month=closed.month,
        edition=len(earlier) + 1,
        closed_event_id=closed.id,
        last_entry_id=session.scalar(select(func.max(JournalEntry.id))) or 0,
        heads=[told(day) for day in seals.standing(session)],
        facts=_facts(session, closed),
        format=FORMAT,
        recorded_at=closed.recorded_at,
    )
    row.sha256 = hashlib.sha256(pack_of(edition(session, row), row)).digest()
    session.add(row)
    session.flush()
    return row


def editions(session: Session, month: date) -> list[Publication]:
    """What was published of a month, the newest edition first."""
    query = select(Publication).where(Publication.month == month)
    return list(session.scalars(query.order_by(Publication.edition.desc())))


def of_month(session: Session, month: date, number: int | None = None) -> Publication:
    """An edition of a month, the newest unless one is named. Problem 404."""
    for row in editions(session, month):
        if number in {None, row.edition}:
            return row
    raise not_found("publication")


def rebuilt(session: Session, row: Publication) -> bytes:
    """The pack, byte for byte as it was published.

    Problem 500 `pack-differs` when books or names no longer give it: somebody altered them.
    """
    made = pack_of(edition(session, row), row)
    if hashlib.sha256(made).digest() != row.sha256:
        raise Problem(500, "pack-differs", "What was published cannot be made of the books again.")
    return made


def pack_of(made: Edition, row: Publication) -> bytes:
    """The ZIP of an edition, in the format that its row names."""
    return FORMATS[row.format](made, row)


def _pack_1(made: Edition, row: Publication) -> bytes:
    names = {line["code"]: line for line in row.facts["accounts"]}
    month, least = Month(row.month), row.facts["least_payers"]
    return zipped(
        {
            "README": readme(made.figures),
            "figures.json": as_json(made.figures),
            "figures.csv": figures_csv(made.figures),
            "detail.csv": detail_csv(made.groups, names, least),
            "journal.beancount": summary.journal_text(
                (month.first, month.last),
                made.chart,
                (made.opening, made.closing),
                made.groups,
                least=least,
                notes=[f"{head['book']} {head['day']} {head['head']}" for head in row.heads],
            ),
            "index.html": page.page(made.figures, row.facts["corrections"]),
        }
    )


FORMATS: dict[int, Callable[[Edition, Publication], bytes]] = {1: _pack_1}


def _facts(session: Session, closed: PeriodEvent) -> dict[str, Any]:
    """What may change later and shall not change the pack: names, people, terms, notes so far."""
    policy = settings()
    on = _on(closed.recorded_at)
    until = on + timedelta(days=policy.objection_days)
    names = ("code", "book", "name_zh", "name_en", "type")
    return {
        "accounts": [{name: getattr(a, name) for name in names} for a in chart_lines(session)],
        "books": [
            {"book": book.code, "name_zh": book.name_zh, "name_en": book.name_en}
            for book in session.scalars(select(Book).order_by(Book.code))
        ],
        "approvers": [
            {"name": _name(session, closed.asked_by), "did": "asked to close"},
            {"name": _name(session, closed.person_id), "did": "closed"},
        ],
        "objection": {
            "published_on": on.isoformat(),
            "days": policy.objection_days,
            "until": until.isoformat(),
            "to": policy.objection_to,
        },
        "target_fen": YEARLY_TARGET_FEN,
        "least_payers": LEAST_PAYERS,
        "corrections": corrections.published(session, closed.month),
    }


def _on(instant: datetime) -> date:
    return instant.astimezone(settings().zone).date()


def _name(session: Session, person_id: int | None) -> str:
    return session.scalar(select(Person.name).where(Person.id == person_id)) or ""
