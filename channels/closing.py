"""What payment channels hold against closing a month: differences, and bills nobody imported."""

from sqlalchemy.orm import Session

from channels import reconciliation
from ledger.periods import Blocker, Month


def unmatched(session: Session, month: Month) -> list[Blocker]:
    """Open differences up to the month's end, and its days with money but without a bill."""
    days = reconciliation.summary(session, month.first, month.last)
    unseen = sum(
        1 for day in days if not day["imported"] and day["our_payments"] + day["our_refunds"]
    )
    wanted = f"from={month.first}&to={month.last}"
    return [
        Blocker(
            "unmatched",
            reconciliation.unexplained(session, until=month.last),
            f"/api/v1/reconciliation/tasks?status=open&to={month.last}",
        ),
        Blocker("bill-missing", unseen, f"/api/v1/reconciliation?{wanted}"),
    ]
