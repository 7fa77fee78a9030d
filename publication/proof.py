"""Proof that what was published still follows from the books."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Problem
from ledger import seals
from ledger.checks import Check
from ledger.proof import OTHERS
from publication.heads import fixed_days
from publication.models import Publication
from publication.publishing import rebuilt


def let_the_books_know() -> None:
    """Have this proved with the books; whoever starts a process that proves calls it."""
    OTHERS["publications"] = editions_stand


def editions_stand(session: Session) -> Check:
    """Every published head is that of the leaves; the newest pack is made again to the byte.

    Heads that stand prove the entries below them, so older packs are made again when asked for.
    """
    newest: Publication | None = None
    count = 0
    for row in session.scalars(select(Publication).order_by(Publication.id)):
        newest, count = row, count + 1
        for book, days in fixed_days(row).items():
            if not seals.stands(session, days):
                said = f"the head of {book} in {row.month:%Y-%m}, edition {row.edition}"
                return Check(False, f"{said}, is no longer that of its leaves")
    try:
        if newest is not None:
            rebuilt(session, newest)
    except Problem:
        said = f"the pack of {newest.month:%Y-%m}" if newest else ""
        return Check(False, f"{said} cannot be made of the books again")
    return Check(True, f"{count} publications stand")
