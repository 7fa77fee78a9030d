"""What a deposit costs by size: dated rates, only ever added to, a company's own first."""

from datetime import date

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session, joinedload

from core import clock
from core.errors import invalid
from couriers.models import CourierCompany, DepositRate

NEWEST = """
(SELECT fee_fen FROM deposit_rate AS rate
 WHERE rate.company_id {whose} AND rate.size = {size} AND rate.valid_from <= {day}
 ORDER BY rate.valid_from DESC, rate.id DESC LIMIT 1)
"""


def rate(*, company: str, size: str, day: str) -> str:
    """SQL of what a deposit costs in fen: 0 while nothing was agreed.

    Its arguments are SQL: the company's id (may be null), the size (S, M, L), the community's
    day. The newest rate not after the day wins, the company's own before everybody's.
    """
    own = NEWEST.format(whose=f"= {company}", size=size, day=day)
    default = NEWEST.format(whose="IS NULL", size=size, day=day)
    return f"coalesce({own}, {default}, 0)"


def rates(company: CourierCompany | None = None) -> Select[DepositRate]:
    """Rates, newest first: those for everybody, and a company's own if one is given."""
    own = DepositRate.company_id == (company.id if company else None)
    newest = DepositRate.valid_from.desc(), DepositRate.id.desc()
    query = select(DepositRate).where(or_(own, DepositRate.company_id.is_(None)))
    return query.order_by(*newest).options(joinedload(DepositRate.company))


def add(
    session: Session,
    company: CourierCompany | None,
    *,
    size: str,
    fee_fen: int,
    valid_from: date,
    today: date,
) -> DepositRate:
    """Record what a deposit costs from a day on, for one company or, with None, for the rest.

    Problem 422 for a day before today: what was deposited was deposited at the rate of then.
    """
    if valid_from < today:
        raise invalid("valid_from", "must not lie in the past")
    rate = DepositRate(
        company_id=company.id if company else None,
        size=size,
        fee_fen=fee_fen,
        valid_from=valid_from,
        recorded_at=clock.now(),
    )
    session.add(rate)
    session.flush()
    return rate
