"""The operators' list of what needs a person's eye."""

from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core.db import Statement
from core.errors import Problem, not_found
from devices.models import Device, ExceptionCase, Lane

RAISE = """
INSERT INTO exception_case (subject, subject_id, reason, plate, raised_at)
VALUES (%(subject)s, %(subject_id)s, %(reason)s, %(plate)s, %(at)s)
ON CONFLICT DO NOTHING
"""

MEET = """
INSERT INTO exception_case (event_id, device_id, reason, plate, raised_at)
VALUES (%(event)s, %(device)s, %(reason)s, %(plate)s, %(at)s)
ON CONFLICT (event_id, reason) DO NOTHING
"""


def cases(*, resolved: bool | None = None) -> Select[ExceptionCase, str | None, str | None]:
    """Cases with device and lane codes, newest first; `resolved` None gives both kinds.

    What a sweep found has no device.
    """
    query = (
        select(ExceptionCase, Device.code.label("device"), Lane.code.label("lane"))
        .outerjoin(Device, Device.id == ExceptionCase.device_id)
        .outerjoin(Lane, Lane.id == Device.lane_id)
        .order_by(ExceptionCase.id.desc())
    )
    if resolved is not None:
        closed = ExceptionCase.resolved_at.is_not(None)
        query = query.where(closed if resolved else ~closed)
    return query


def resolve(session: Session, case_id: int, person_id: int, reason: str, now: datetime) -> int:
    """Close a case with the reason; Problem 404 if there is none, 409 if it is closed."""
    case = session.get(ExceptionCase, case_id, with_for_update=True)
    if case is None:
        raise not_found("exception")
    if case.resolved_at is not None:
        raise Problem(409, "already-resolved", "This exception was resolved before.")
    case.resolved_at, case.resolved_by, case.resolution = now, person_id, reason
    return case.id


def met(
    event_id: int, device_id: int, reason: str, at: datetime, plate: str | None = None
) -> Statement:
    """The statement that puts what a device met on the list, once for each event and reason."""
    values = {"event": event_id, "device": device_id, "reason": reason, "plate": plate, "at": at}
    return MEET, values


REOPEN = """
ON CONFLICT (subject, subject_id, reason) DO UPDATE
SET raised_at = EXCLUDED.raised_at, resolved_at = NULL, resolved_by = NULL, resolution = NULL
WHERE exception_case.resolved_at IS NOT NULL
"""
"""How a statement that puts something on the list opens a case anew that was resolved."""

RAISE_ANEW = f"""
INSERT INTO exception_case (subject, subject_id, reason, raised_at)
VALUES (%(subject)s, %(subject_id)s, %(reason)s, %(at)s)
{REOPEN}
"""  # noqa: S608 - constants of ours


def reopened(subject: str, subject_id: int, reason: str, at: datetime) -> Statement:
    """As `raised`, for what may come again: a case that was resolved is open anew."""
    values = {"subject": subject, "subject_id": subject_id, "reason": reason, "at": at}
    return RAISE_ANEW, values


def raised(
    subject: str, subject_id: int, reason: str, plate: str | None, at: datetime
) -> Statement:
    """The statement that puts a stay or booking on the list, once for each reason."""
    return RAISE, {
        "subject": subject,
        "subject_id": subject_id,
        "reason": reason,
        "plate": plate,
        "at": at,
    }
