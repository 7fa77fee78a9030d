"""How income divides: dated rules, only ever added to, each with the vote behind it."""

from collections.abc import Mapping
from datetime import date

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core import clock
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
) -> SplitRule:
    """Record a rule for what occurs from `valid_from` on, until a later rule.

    `shares` are integer weights for micro_fund, property and owner; absent ones are zero.
    What is in the books already stays as it was posted. Charges that waited for a rule of this
    income are tried again.
    """
    rule = SplitRule(
        income=income,
        ownership=ownership,
        micro_fund=shares.get("micro_fund", 0),
        property=shares.get("property", 0),
        owner=shares.get("owner", 0),
        valid_from=valid_from,
        decided_by=decided_by,
        recorded_at=clock.now(),
    )
    session.add(rule)
    session.flush()
    settlement.release(session, settlement.NO_SPLIT_RULE, income)
    return rule
