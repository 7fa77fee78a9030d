"""更正说明: a trigger drafts it with entries that touch a published month; a person publishes it.

What it says is reckoned anew until then: of each account the figure before, with what was
published of the month and every note published since, and the figure after.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core import clock
from core.app import settings
from core.errors import Problem, invalid, not_found
from core.logs import mask
from identity.models import Person
from ledger.periods import Blocker, Month
from ledger.posting import execute, rows
from publication.figures import moved
from publication.models import Correction, CorrectionEntry, Publication
from reports.balances import Known, chart

LATE = "late"
DRAFTS_STAND_STILL = "SELECT pg_advisory_xact_lock('correction'::regclass::oid::bigint)"

# What entries of notes changed of a month since an edition: not what stands in the edition.
CHANGED = """
SELECT posting.account, sum(posting.amount_fen)::bigint AS fen
FROM posting JOIN journal_entry AS e ON e.id = posting.entry_id
WHERE e.id IN (
        SELECT entry_id FROM correction_entry JOIN correction AS note ON note.id = correction_id
        WHERE note.month = %(month)s AND note.id = ANY (%(notes)s)
    )
    AND NOT (e.id <= %(last_entry)s AND e.posted_on BETWEEN %(month)s AND %(last)s)
GROUP BY posting.account
"""


def corrections(month: date | None = None, *, drafts: bool | None = None) -> Select[Correction]:
    """Notes, the newest first: of a month if given, drafts or published ones only if asked."""
    query = select(Correction).order_by(Correction.id.desc())
    if month is not None:
        query = query.where(Correction.month == month)
    if drafts is not None:
        query = query.where(Correction.published_at.is_(None) == drafts)
    return query


def figures(session: Session, note: Correction) -> list[dict[str, Any]]:
    """Before and after, account by account: as published, or of a draft as of now."""
    if note.figures is not None:
        return note.figures
    edition = newest(session, note.month)
    earlier = [n.id for n in session.scalars(corrections(note.month, drafts=False))]
    before = known_now(session, edition, earlier)
    names = {line["code"]: line for line in chart(session)}
    return [
        {
            **{name: names[account][name] for name in ("book", "name_zh", "name_en")},
            "account": account,
            "before_fen": _shown(names[account], before.get(account, 0)),
            "after_fen": _shown(names[account], before.get(account, 0) + fen),
        }
        for account, fen in sorted(_changed(session, edition, [note.id]).items())
        if fen
    ]


def publish(session: Session, note_id: int, person_id: int, reason: str | None) -> Correction:
    """Say a note aloud, as it stands now; the reason may be given where no reversal gave one.

    Problem 404; 409 `already-published`; 403 `second-person` for who reversed; 422 without a
    reason.
    """
    execute(session, DRAFTS_STAND_STILL, {})
    note = session.get(Correction, note_id, with_for_update=True, populate_existing=True)
    if note is None:
        raise not_found("correction")
    if note.published_at is not None:
        raise Problem(409, "already-published", "The note is published.")
    if note.reversed_by == person_id:
        raise Problem(403, "second-person", "Another person than who reversed has to publish it.")
    said = reason or note.reason
    if said is None:
        raise invalid("reason", "say why these facts came late")
    note.figures = figures(session, note)
    note.reason, note.published_by, note.published_at = said, person_id, clock.now()
    session.flush()
    return note


def published(session: Session, month: date) -> list[dict[str, Any]]:
    """The notes of a month that everybody may read, in the order in which they were published."""
    query = corrections(month, drafts=False).order_by(None).order_by(Correction.published_at)
    notes = list(session.scalars(query.order_by(Correction.id)))
    return [told(session, note) for note in notes]


def told(session: Session, note: Correction) -> dict[str, Any]:
    """A published note: free text masked, nobody named but who approved it."""
    approver = session.scalar(select(Person.name).where(Person.id == note.published_by))
    edition = session.get_one(Publication, note.publication_id)
    on = note.published_at.astimezone(settings().zone).date() if note.published_at else None
    return {
        "number": note.id,
        "edition": edition.edition,
        "about": note.about,
        "reason": mask(note.reason or ""),
        "figures": figures(session, note),
        "entries": entries(session, note.id),
        "published_on": on.isoformat() if on else "",
        "approved_by": approver or "",
    }


def entries(session: Session, note_id: int) -> list[int]:
    """The numbers of the entries that a note is about."""
    query = select(CorrectionEntry.entry_id).where(CorrectionEntry.correction_id == note_id)
    return list(session.scalars(query.order_by(CorrectionEntry.entry_id)))


def newest(session: Session, month: date) -> Publication:
    """The newest edition of a month. Problem 404."""
    query = select(Publication).where(Publication.month == month)
    found = session.scalar(query.order_by(Publication.edition.desc()).limit(1))
    if found is None:
        raise not_found("publication")
    return found


def known_now(session: Session, edition: Publication, notes: Iterable[int]) -> dict[str, int]:
    """Fen by account that the edition's month moved, with what these notes change of it."""
    now = moved(session, edition.month, Known(last_entry=edition.last_entry_id))
    for account, fen in _changed(session, edition, notes).items():
        now[account] = now.get(account, 0) + fen
    return now


def undecided(session: Session, month: Month) -> list[Blocker]:
    """What keeps a month from a next edition: notes on the last one that nobody published."""
    waiting = list(session.scalars(corrections(month.first, drafts=True)))
    return [Blocker("correction-unpublished", len(waiting), "/api/v1/ledger/corrections")]


def _changed(session: Session, edition: Publication, notes: Iterable[int]) -> dict[str, int]:
    month = Month(edition.month)
    values = {"month": month.first, "last": month.last, "notes": list(notes)}
    found = rows(session, CHANGED, **values, last_entry=edition.last_entry_id)
    return {row["account"]: row["fen"] for row in found}


def _shown(line: Any, fen: int) -> int:
    """A movement with the sign of the account's normal side."""
    return fen if line["normal_side"] == "debit" else -fen
