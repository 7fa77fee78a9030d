"""What people were told, and their inbox.

`told` is for what appears at once. `queued` is for what goes out later, or through other channels
than the inbox: it writes the deliveries that `identity.deliveries` sweeps.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session

from core.db import Statement
from core.errors import not_found
from core.sealing import SealError, unseal
from identity.models import Notice

CODE = "{code}"
"""The place in a text where its reader finds the sealed code."""

HIDDEN = "******"
"""What stands there for everybody else, and when the code is used up."""

TELL = """
INSERT INTO notice (household_id, kind, text, about, about_id, recorded_at, shown_at)
VALUES (%(household)s, %(kind)s, %(text)s, %(about)s, %(about_id)s, %(at)s, %(at)s)
"""

QUEUE = """
WITH told AS (
    INSERT INTO notice
        (household_id, person_id, phone, kind, text, secret, about, about_id, recorded_at)
    VALUES (%(household)s, %(person)s, %(phone)s, %(kind)s, %(text)s, %(secret)s,
        %(about)s, %(about_id)s, %(at)s)
    RETURNING id
)
INSERT INTO delivery (notice_id, channel, due_at)
SELECT told.id, channel, %(due_at)s FROM told CROSS JOIN unnest(%(channels)s::varchar[]) channel
"""

# `coalesce` keeps the index of all unsent deliveries out of the plan: it is small on a quiet day,
# and a plan made then would read all of it ever after.
CANCEL = """
WITH unsent AS (
    UPDATE delivery d SET cancelled_at = %(at)s
    FROM notice n
    WHERE n.id = d.notice_id AND n.about = %(about)s AND n.about_id = %(about_id)s
      AND (%(kinds)s::varchar[] IS NULL OR n.kind = ANY (%(kinds)s::varchar[]))
      AND coalesce(d.sent_at, d.cancelled_at) IS NULL
)
UPDATE notice n
SET secret = CASE WHEN NOT %(erase)s THEN secret END,
    cancelled_at = CASE
        WHEN shown_at IS NULL
            AND (%(kinds)s::varchar[] IS NULL OR n.kind = ANY (%(kinds)s::varchar[]))
        THEN coalesce(cancelled_at, %(at)s) ELSE cancelled_at END
WHERE n.about = %(about)s AND n.about_id = %(about_id)s
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


def queued(
    household_id: int | None,
    kind: str,
    text: str,
    *,
    person_id: int | None = None,
    phone: str | None = None,
    secret: bytes | None = None,
    about: str | None = None,
    about_id: int | None = None,
    at: datetime,
    due_at: datetime,
    channels: Sequence[str],
) -> Statement:
    """The statement that tells something from `due_at` on, through each of the channels.

    A household, one person of it, or (household None) whoever has the phone. `secret` is a code
    as `core.sealing.seal` gives it; it fills `{code}` of the text for its reader only.
    """
    return QUEUE, {
        "household": household_id,
        "person": person_id,
        "phone": phone,
        "kind": kind,
        "text": text,
        "secret": secret,
        "about": about,
        "about_id": about_id,
        "at": at,
        "due_at": due_at,
        "channels": list(channels),
    }


def cancelled(
    about: str,
    about_id: int,
    *,
    kinds: Sequence[str] | None = None,
    erase_secrets: bool = False,
    at: datetime,
) -> Statement:
    """The statement that takes back what was not sent yet about a subject.

    Of these kinds, or of all. What was shown or sent stays as it is; but `erase_secrets` makes
    the code vanish from every notice about the subject, of whatever kind: it is used, or void.
    """
    return CANCEL, {
        "about": about,
        "about_id": about_id,
        "kinds": None if kinds is None else list(kinds),
        "erase": erase_secrets,
        "at": at,
    }


def notices(
    household_id: int | None, person_id: int, *, unread: bool | None = None
) -> Select[Notice]:
    """What a person finds in the inbox, newest first; `unread` True or False gives only such."""
    query = select(Notice).where(_in_inbox(household_id, person_id))
    if unread is not None:
        new = Notice.read_at.is_(None)
        query = query.where(new if unread else ~new)
    return query.order_by(Notice.shown_at.desc(), Notice.id.desc())


def mark_read(
    session: Session, notice_id: int, household_id: int | None, person_id: int, now: datetime
) -> Notice:
    """Somebody has read a notice of their inbox; the first reading counts. Problem 404 else."""
    mine = select(Notice).where(Notice.id == notice_id, _in_inbox(household_id, person_id))
    notice = session.scalar(mine.with_for_update())
    if notice is None:
        raise not_found("notice")
    notice.read_at = notice.read_at or now
    session.flush()
    return notice


def opened(secret_key: str, sealed: bytes | None) -> str:
    """The code of a notice; stars when it was erased, or sealed with another secret key."""
    if sealed is None:
        return HIDDEN
    try:
        return unseal(secret_key, sealed)
    except SealError:
        return HIDDEN


def text_for_reader(notice: Notice, secret_key: str) -> str:
    """The text with its code, for whom it is meant."""
    if CODE not in notice.text:
        return notice.text
    return notice.text.replace(CODE, opened(secret_key, notice.secret))


def _in_inbox(household_id: int | None, person_id: int) -> ColumnElement[bool]:
    return and_(
        Notice.household_id == household_id,
        or_(Notice.person_id.is_(None), Notice.person_id == person_id),
        Notice.shown_at.is_not(None),
        Notice.cancelled_at.is_(None),
    )
