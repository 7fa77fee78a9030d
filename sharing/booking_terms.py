"""Versions of a lot's booking terms, as its tariff has versions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Problem, invalid
from parking.models import Lot
from parking.terms import TermsError, parse_terms
from sharing.models import BookingTerms


def versions(session: Session, lot: Lot) -> Sequence[BookingTerms]:
    """Every version of a lot's terms, newest first; none means the defaults of `Terms`."""
    query = select(BookingTerms).where(BookingTerms.lot_id == lot.id)
    return session.scalars(query.order_by(BookingTerms.version.desc())).all()


def add_terms(
    session: Session, lot: Lot, rules: dict[str, Any], valid_from: datetime
) -> BookingTerms:
    """The next version of a lot's terms; bookings made before it keep theirs.

    Problem 422 names the term that cannot be; a version cannot begin before the newest one.
    """
    try:
        parse_terms(rules)
    except TermsError as error:
        errors = {f"rules.{name}": said for name, said in error.errors.items()}
        raise Problem(422, "invalid", "These terms cannot be.", errors=errors) from error
    session.execute(select(Lot.id).where(Lot.id == lot.id).with_for_update())
    newest = next(iter(versions(session, lot)), None)
    if newest and valid_from <= newest.valid_from:
        raise invalid("valid_from", "must be later than the newest version's")
    version = newest.version + 1 if newest else 1
    terms = BookingTerms(lot_id=lot.id, version=version, valid_from=valid_from, rules=rules)
    session.add(terms)
    session.flush()
    return terms
