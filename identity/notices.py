"""What households were told, and their inbox."""

from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.db import Statement
from core.errors import not_found
from identity.models import Notice

TELL = """
INSERT INTO notice (household_id, kind, text, about, about_id, recorded_at)
VALUES (%(household)s, %(kind)s, %(text)s, %(about)s, %(about_id)s, %(at)s)
"""


def told(
    household_id: int,
    kind: str,
    text: str,
    *,
    about: str | None = None,
    about_id: int | None = None,
    at: datetime,
) -> Statement:
    """The statement that tells a household something; `kind` is a slug, `text` is for people."""
    return TELL, {
        "household": household_id,
        "kind": kind,
        "text": text,
        "about": about,
        "about_id": about_id,
        "at": at,
    }


def notices(household_id: int | None, *, unread: bool | None = None) -> Select[Notice]:
    """What a household was told, newest first; `unread` True or False gives only such."""
    query = select(Notice).where(Notice.household_id == household_id).order_by(Notice.id.desc())
    if unread is not None:
        new = Notice.read_at.is_(None)
        query = query.where(new if unread else ~new)
    return query


def mark_read(session: Session, notice_id: int, household_id: int | None, now: datetime) -> Notice:
    """A household has read a notice; the first reading counts. Problem 404 for others'."""
    notice = session.get(Notice, notice_id, with_for_update=True)
    if notice is None or notice.household_id != household_id:
        raise not_found("notice")
    notice.read_at = notice.read_at or now
    session.flush()
    return notice
