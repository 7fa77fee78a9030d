"""凭据: files that show what a disbursement is for; each is kept as it came."""

import base64
import binascii
import hashlib

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Problem, invalid, not_found
from treasury.disbursements import disbursement
from treasury.models import LARGEST_FILE, REJECTED, Evidence

BEGINNINGS: dict[str, tuple[bytes, ...]] = {
    "application/pdf": (b"%PDF-",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "application/xml": (b"<", b"\xef\xbb\xbf<"),
    "application/ofd": (b"PK\x03\x04",),
}
"""How a file of each media type begins; an OFD is a ZIP."""


def attach(
    session: Session, number: int, *, filename: str, media_type: str, content: str, by: int
) -> Evidence:
    """Keep a file (base64) with a disbursement; the same file again is the first one.

    Problem 404, 409 when it was rejected, 422 for what is no base64, too large, empty, or not
    what its media type says.
    """
    file = decoded(content, media_type)
    if disbursement(session, number).status == REJECTED:
        raise Problem(409, "wrong-step", "It is rejected.")
    digest = hashlib.sha256(file).digest()
    same = select(Evidence).where(Evidence.disbursement_id == number, Evidence.sha256 == digest)
    if (before := session.scalar(same)) is not None:
        return before
    attached = Evidence(
        disbursement_id=number,
        filename=filename,
        media_type=media_type,
        sha256=digest,
        content=file,
        attached_by=by,
        recorded_at=clock.now(),
    )
    session.add(attached)
    session.flush()
    return attached


def decoded(content: str, media_type: str) -> bytes:
    """The bytes of a file; Problem 422 naming what is wrong with it."""
    try:
        file = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid("content", "is no base64") from error
    if not 0 < len(file) <= LARGEST_FILE:
        raise invalid("content", f"has 1 to {LARGEST_FILE} bytes")
    if not file.startswith(BEGINNINGS[media_type]):
        raise invalid("content", f"is no {media_type}")
    return file


def evidence(session: Session, number: int, evidence_id: int) -> Evidence:
    """One file of a disbursement; Problem 404."""
    found = session.get(Evidence, evidence_id)
    if found is None or found.disbursement_id != number:
        raise not_found("evidence")
    return found


def evidence_of(session: Session, number: int) -> list[Evidence]:
    """The files of a disbursement, without their content, in the order they came."""
    query = select(Evidence).where(Evidence.disbursement_id == number).order_by(Evidence.id)
    return list(session.scalars(query))
