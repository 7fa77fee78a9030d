"""What site contracts hold against closing a month: what they earned in it is not charged yet."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from couriers.models import Accrual, SiteContract
from ledger.periods import Blocker, Month


def unaccrued(session: Session, month: Month) -> list[Blocker]:
    """Contracts that ran in the month and were not accrued for it; the sweep does so in days."""
    done = select(Accrual.contract_id).where(Accrual.month == month.first)
    waiting = select(func.count()).where(
        SiteContract.starts_on <= month.last,
        func.coalesce(SiteContract.ends_on, month.last) >= month.first,
        SiteContract.id.not_in(done),
    )
    return [Blocker("unaccrued", session.scalar(waiting) or 0, "/api/v1/site-contracts")]
