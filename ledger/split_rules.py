"""How income divides: dated rules, only ever added to, each with the vote behind it."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import psycopg
from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import clock
from core.errors import invalid
from ledger import settlement
from ledger.models import SplitRule


def split_rules() -> Select[SplitRule]:
    """Every rule, the newest first."""
    return select(SplitRule).order_by(SplitRule.valid_from.desc(), SplitRule.id.desc())


def add(
    session: Session,
    *,
    income: str,
    ownership: str,
    shares: Mapping[str, int],
    valid_from: date,
    decided_by: str,
    lot: str | None = None,
    cost_permille: int = 0,
    vote: Mapping[str, Any] | None = None,
) -> SplitRule:
    """Record a rule for what occurs from `valid_from` on, until a later rule.

    `cost_permille` of the income is the provider's recovered cost; `shares` are integer weights
    for micro_fund, property and owner of the rest; absent ones are zero. With a `lot` it is that
    lot's own (see `division.rule_for`); Problem 422 when there is no such lot. `vote` has what is
    known of decided_on, votes_for, votes_against, votes_abstained, area_for_permille, reference.

    What is in the books already stays as it was posted. Charges that waited for a rule of this
    income are tried again.
    """
    rule = SplitRule(
        income=income,
        ownership=ownership,
        lot=lot,
        version=_next_version(session, income, ownership, lot),
        cost_permille=cost_permille,
        micro_fund=shares.get("micro_fund", 0),
        property=shares.get("property", 0),
        owner=shares.get("owner", 0),
        valid_from=valid_from,
        decided_by=decided_by,
        recorded_at=clock.now(),
        **(vote or {}),
    )
    session.add(rule)
    _flush(session)
    settlement.release(session, settlement.NO_SPLIT_RULE, income)
    return rule


def _next_version(session: Session, income: str, ownership: str, lot: str | None) -> int:
    """One more than the newest of its kind; the table lets only one of two at once have it."""
    newest = select(func.max(SplitRule.version)).where(
        SplitRule.income == income,
        SplitRule.ownership == ownership,
        SplitRule.lot.is_not_distinct_from(lot),
    )
    return (session.scalar(newest) or 0) + 1


def _flush(session: Session) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        if isinstance(error.orig, psycopg.errors.ForeignKeyViolation):
            raise invalid("lot", "there is no lot of this code") from None
        raise
