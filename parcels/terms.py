"""Versions of the community's rules for lockers; a parcel keeps those it came under."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Problem, invalid
from parcels.models import LockerTerms
from storage.rules import LockerRules, RulesError, parse_rules

UNDECIDED = {"id": None, "version": 0, "valid_from": None, "rules": asdict(LockerRules())}
"""What holds where and as long as a community has decided nothing."""


def versions(session: Session) -> list[dict[str, Any]]:
    """Every version, newest first, with all of its rules; the last is what held before any."""
    query = select(LockerTerms).order_by(LockerTerms.version.desc())
    return [*map(shown, session.scalars(query)), UNDECIDED]


def add(
    session: Session, rules: dict[str, Any], valid_from: datetime, now: datetime
) -> LockerTerms:
    """The next version of the rules, for parcels that come from `valid_from` on.

    Problem 422 names the rule that cannot be, as `rules.<field>`, or a beginning in the past or
    not later than the newest version's.
    """
    try:
        parse_rules(rules)
    except RulesError as error:
        errors = {f"rules.{name}": said for name, said in error.errors.items()}
        raise Problem(422, "invalid", "These rules cannot be.", errors=errors) from error
    if valid_from < now:
        raise invalid("valid_from", "must not lie in the past")
    newest = session.scalar(select(LockerTerms).order_by(LockerTerms.version.desc()).limit(1))
    if newest and valid_from <= newest.valid_from:
        raise invalid("valid_from", "must be later than the newest version's")
    version = newest.version + 1 if newest else 1
    terms = LockerTerms(version=version, valid_from=valid_from, rules=rules, recorded_at=now)
    session.add(terms)
    session.flush()
    return terms


def shown(terms: LockerTerms) -> dict[str, Any]:
    """A version with the defaults of what it leaves out."""
    return {
        "id": terms.id,
        "version": terms.version,
        "valid_from": terms.valid_from,
        "rules": asdict(parse_rules(terms.rules)),
    }
