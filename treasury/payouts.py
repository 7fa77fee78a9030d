"""Paying out what the owners' book owes: to owners of spaces, the micro-fund, the provider."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from core import clock
from core.app import settings
from core.errors import Problem, invalid
from core.months import next_month
from ledger.accounts import (
    FUND_PAYABLE,
    OWNERS,
    OWNERS_PAYABLE,
    PROPERTY_COMPANY,
    PROPERTY_PAYABLE,
)
from ledger.posting import rows
from treasury.balances import one_at_a_time, stands_fen, under_way_fen
from treasury.disbursements import add
from treasury.models import (
    APPROVED,
    DRAFTED,
    FUND_SHARE,
    PAID,
    PAYOUT,
    PROVIDER_SHARE,
    Disbursement,
)

# Per owner: what stood when the month ended, what stands now, what was drafted and not booked.
OWED = """
SELECT p.party, household.code,
    coalesce(-sum(p.amount_fen) FILTER (WHERE p.posted_on < %(next_month)s), 0)::bigint
        AS then_fen,
    -sum(p.amount_fen)::bigint AS now_fen,
    (SELECT coalesce(sum(d.amount_fen), 0)::bigint FROM disbursement AS d
     WHERE d.kind = 'payout' AND d.party = p.party AND d.status <> 'rejected'
        AND d.settled_at IS NULL) AS under_way_fen
FROM posting AS p
JOIN party ON party.code = p.party
JOIN household ON household.id = party.household_id
WHERE p.account = %(account)s
    AND NOT EXISTS (SELECT FROM disbursement AS d WHERE d.kind = 'payout' AND d.party = p.party
        AND d.month = %(month)s AND d.status <> 'rejected')
GROUP BY p.party, household.code ORDER BY household.code
"""

SHARES: Mapping[str, tuple[str, str | None, str]] = {
    FUND_SHARE: (FUND_PAYABLE, None, "社区微基金"),
    PROVIDER_SHARE: (PROPERTY_PAYABLE, PROPERTY_COMPANY, "物业公司"),
}
"""Kind → the account of what is owed, the party, and what the payee is called."""


def draft_payouts(
    session: Session, *, month: date, minimum_fen: int, drafted_by: int
) -> Sequence[Disbursement]:
    """A draft for every owner to whom a finished month left at least `minimum_fen`.

    What was credited or paid out since is left out, and so is who has a draft of the month
    already: drafting again adds what is missing. Problem 422 for a month that is not over.
    """
    over_on = next_month(month)
    if over_on > clock.now().astimezone(settings().zone).date():
        raise invalid("month", "is not over yet")
    one_at_a_time(session)
    owed = rows(session, OWED, month=month, next_month=over_on, account=OWNERS_PAYABLE)
    left = [(row, min(row["then_fen"], row["now_fen"]) - row["under_way_fen"]) for row in owed]
    return [
        add(
            session,
            kind=PAYOUT,
            book=OWNERS,
            month=month,
            party=row["party"],
            payee=row["code"],
            amount_fen=fen,
            memo=f"{month:%Y-%m}",
            drafted_by=drafted_by,
        )
        for row, fen in left
        if fen >= minimum_fen
    ]


def draft_share(
    session: Session, *, kind: str, amount_fen: int | None, drafted_by: int
) -> Disbursement:
    """A draft that passes on what is owed to the fund or the provider, or so much of it.

    Problem 409 `nothing-due` or `more-than-due`, with what is owed and not under way.
    """
    one_at_a_time(session)
    account, party, payee = SHARES[kind]
    under_way = under_way_fen(session, OWNERS, kinds=[kind], statuses=[DRAFTED, APPROVED, PAID])
    due_fen = -stands_fen(session, account) - under_way
    wanted_fen = due_fen if amount_fen is None else amount_fen
    if due_fen <= 0:
        raise Problem(409, "nothing-due", "Nothing is owed that is not under way already.")
    if wanted_fen > due_fen:
        raise Problem(409, "more-than-due", "Less than that is owed.", due_fen=due_fen)
    facts: dict[str, Any] = {"kind": kind, "book": OWNERS, "party": party, "payee": payee}
    return add(session, amount_fen=wanted_fen, memo=payee, drafted_by=drafted_by, **facts)
