"""业主对账单: what the spaces of an owner earned in a month, what was paid out, what is left."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from core.errors import not_found
from core.months import next_month
from ledger.accounts import (
    FUND_PAYABLE,
    OWNERS_PAYABLE,
    PROPERTY_PAYABLE,
    RECEIVABLE,
    household_party,
)
from ledger.posting import rows

# The owner's own postings tell the balances; what else stands in their entries, the gross and
# what the others got. A month has what was posted in it, whenever it happened.
SUMMARIES = """
WITH mine AS (
    SELECT p.entry_id, p.party, p.amount_fen, p.posted_on, e.source
    FROM posting AS p JOIN journal_entry AS e ON e.id = p.entry_id
    WHERE p.account = %(owners)s AND p.posted_on < %(next_month)s
        AND p.party = coalesce(%(party)s::text, p.party)
), parts AS (
    SELECT mine.party, sum(p.amount_fen) FILTER (WHERE p.account = %(receivable)s) AS gross,
        -sum(p.amount_fen) FILTER (WHERE p.account = %(fund)s) AS fund,
        -sum(p.amount_fen) FILTER (WHERE p.account = %(property)s) AS property
    FROM (SELECT DISTINCT entry_id, party FROM mine
          WHERE posted_on >= %(month)s AND source = 'charge') AS mine
    JOIN posting AS p ON p.entry_id = mine.entry_id GROUP BY mine.party
)
SELECT household.id AS household_id, household.code AS household,
    -coalesce(sum(mine.amount_fen) FILTER (WHERE mine.posted_on < %(month)s), 0)::bigint
        AS opening_fen,
    coalesce(max(parts.gross), 0)::bigint AS gross_fen,
    coalesce(max(parts.fund), 0)::bigint AS fund_fen,
    coalesce(max(parts.property), 0)::bigint AS provider_fen,
    -coalesce(sum(mine.amount_fen) FILTER (
        WHERE mine.posted_on >= %(month)s AND mine.source <> 'payout'), 0)::bigint AS earned_fen,
    coalesce(sum(mine.amount_fen) FILTER (
        WHERE mine.posted_on >= %(month)s AND mine.source = 'payout'), 0)::bigint AS paid_out_fen,
    -sum(mine.amount_fen)::bigint AS closing_fen
FROM mine JOIN party ON party.code = mine.party
JOIN household ON household.id = party.household_id
LEFT JOIN parts ON parts.party = mine.party
GROUP BY household.id, household.code ORDER BY household.code
"""

LINES = """
SELECT e.id AS entry_id, e.occurred_on, e.memo,
    coalesce(c.source, e.source) AS source, coalesce(c.source_id, e.source_id) AS source_id,
    coalesce(sum(p.amount_fen) FILTER (WHERE p.account = %(receivable)s), 0)::bigint AS gross_fen,
    -coalesce(sum(p.amount_fen) FILTER (WHERE p.account = %(fund)s), 0)::bigint AS fund_fen,
    -coalesce(sum(p.amount_fen) FILTER (WHERE p.account = %(property)s), 0)::bigint
        AS provider_fen,
    -coalesce(sum(p.amount_fen) FILTER (WHERE p.account = %(owners)s), 0)::bigint AS owner_fen
FROM journal_entry AS e JOIN posting AS p ON p.entry_id = e.id
LEFT JOIN charge AS c ON e.source = 'charge' AND c.id = e.source_id
WHERE e.id IN (SELECT entry_id FROM posting WHERE party = %(party)s AND account = %(owners)s
        AND posted_on >= %(month)s AND posted_on < %(next_month)s)
GROUP BY e.id, c.id ORDER BY e.id
"""

ACCOUNTS = {
    "owners": OWNERS_PAYABLE,
    "receivable": RECEIVABLE,
    "fund": FUND_PAYABLE,
    "property": PROPERTY_PAYABLE,
}


def owner_statements(
    session: Session, month: date, household_id: int | None = None
) -> Sequence[dict[str, Any]]:
    """The month of every owner, or of one household: opening, gross, shares, paid out, closing.

    Fen. Opening + earned - paid out = closing; gross = fund's + provider's + the owner's share
    of what was charged for their spaces, credits taken off.
    """
    party = None if household_id is None else household_party(household_id)
    values = {"month": month, "next_month": next_month(month), "party": party}
    return [
        dict(row) | {"month": f"{month:%Y-%m}"}
        for row in rows(session, SUMMARIES, **values, **ACCOUNTS)
    ]


def owner_statement(session: Session, month: date, household_id: int) -> dict[str, Any]:
    """One owner's month with a line for every fee, correction and payout; Problem 404.

    A line names what it is for (a stay's number), never who parked.
    """
    found = owner_statements(session, month, household_id)
    if not found:
        raise not_found("owner's statement")
    party = household_party(household_id)
    values = {"month": month, "next_month": next_month(month), "party": party}
    lines = rows(session, LINES, **values, **ACCOUNTS)
    return found[0] | {"lines": [dict(line) for line in lines]}
