"""How periods, notes and editions are told: rows with the names and links that belong to them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from identity.models import Person
from ledger import periods as months
from ledger.models import Period
from publication import corrections
from publication.models import Correction, Publication

PATH = "/api/v1/publications"


def periods(session: Session, found: Sequence[Period]) -> list[dict[str, Any]]:
    """Months with their events and how often they were published."""
    wanted = [period.month for period in found]
    events = months.events(session, wanted)
    names = _names(session, {e.person_id for told in events.values() for e in told})
    counted = (
        select(Publication.month, func.count().label("editions"))
        .where(Publication.month.in_(wanted))
        .group_by(Publication.month)
    )
    editions = {row.month: row.editions for row in session.execute(counted)}
    return [
        {
            "month": period.month,
            "status": period.status,
            "editions": editions.get(period.month, 0),
            "events": [
                {
                    "kind": event.kind,
                    "by": names[event.person_id],
                    "reason": event.reason,
                    "recorded_at": event.recorded_at,
                }
                for event in events[period.month]
            ],
        }
        for period in found
    ]


def correction(session: Session, note: Correction) -> dict[str, Any]:
    """A note for those who keep the books."""
    people = {person for person in (note.reversed_by, note.published_by) if person}
    names = _names(session, people)
    columns = ("id", "month", "about", "reason", "drafted_at", "published_at")
    return {name: getattr(note, name) for name in columns} | {
        "status": "draft" if note.published_at is None else "published",
        "figures": corrections.figures(session, note),
        "entries": corrections.entries(session, note.id),
        "reversed_by": names.get(note.reversed_by or 0),
        "published_by": names.get(note.published_by or 0),
    }


def edition(row: Publication, *, corrected: bool) -> dict[str, Any]:
    """An edition for everybody, with where its files are."""
    path = f"{PATH}/{row.month:%Y-%m}"
    return {
        "month": row.month,
        "edition": row.edition,
        "published_on": row.facts["objection"]["published_on"],
        "objections_until": row.facts["objection"]["until"],
        "sha256": row.sha256,
        "last_entry": row.last_entry_id,
        "corrected": corrected,
        "pack_url": f"{path}/pack.zip?edition={row.edition}",
        "page_url": f"{path}/page?edition={row.edition}",
    }


def _names(session: Session, people: set[int]) -> dict[int, str]:
    query = select(Person.id, Person.name).where(Person.id.in_(people))
    return {row.id: row.name for row in session.execute(query)}
