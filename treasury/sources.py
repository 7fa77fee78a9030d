"""Source rows of money out and back, how settlement finds them, and how each is proved."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from ledger import settlement
from ledger.accounts import party_of
from ledger.journal import Entry
from treasury.drafts import (
    DISBURSED,
    FEE_REFUND,
    FUND_RECEIPT,
    of_disbursement,
    of_fund_receipt,
    of_refund,
)

REFUNDS = """
SELECT r.id, 'fee_refund' AS kind, r.source, r.source_id, r.method, r.amount_fen, r.occurred_at,
    r.household_id AS payee_id, r.company AS paid_company, owed.household_id AS debtor_id,
    owed.company AS owing_company, r.settled_at, r.set_aside_reason
FROM fee_refund AS r JOIN receivable AS owed USING (source, source_id)
"""
DISBURSEMENTS = """
SELECT r.id, r.kind, r.book, r.amount_fen, r.method, r.party, r.programme, r.memo,
    r.paid_at AS occurred_at, r.settled_at, r.set_aside_reason
FROM disbursement AS r
"""
FUND_RECEIPTS = """
SELECT r.id, 'fund_receipt' AS kind, r.kind AS given_as, r.amount_fen, r.method, r.restricted,
    r.memo, r.occurred_at, r.settled_at, r.set_aside_reason
FROM fund_receipt AS r
"""
WAITING = """
WHERE r.settled_at IS NULL AND r.set_aside_reason IS NULL {more}
ORDER BY r.id LIMIT %(limit)s FOR NO KEY UPDATE OF r SKIP LOCKED
"""

KINDS = (FEE_REFUND, *DISBURSED, FUND_RECEIPT)
"""What the entries of these rows name as their source."""


def let_settlement_know() -> None:
    """Make settlement post these rows too; whoever starts a process that settles calls it."""
    paid = WAITING.format(more="AND r.status = 'paid'")
    settlement.FURTHER["fee_refund"] = (REFUNDS + WAITING.format(more=""), draft_refund)
    settlement.FURTHER["disbursement"] = (DISBURSEMENTS + paid, draft_disbursement)
    settlement.FURTHER["fund_receipt"] = (FUND_RECEIPTS + WAITING.format(more=""), draft_receipt)


def draft_refund(row: Mapping[str, Any], on: date) -> tuple[Entry, ...]:
    """What a refund becomes."""
    entry = of_refund(
        row["id"],
        row["method"],
        row["amount_fen"],
        on,
        paid_for=f"{row['source']}:{row['source_id']}",
        payee=party_of(row["payee_id"], row["paid_company"]),
        debtor=party_of(row["debtor_id"], row["owing_company"]),
    )
    return (entry,)


def draft_disbursement(row: Mapping[str, Any], on: date) -> tuple[Entry, ...]:
    """What a disbursement becomes that was paid."""
    return of_disbursement(
        row["id"],
        row["kind"],
        row["book"],
        row["amount_fen"],
        on,
        method=row["method"],
        party=row["party"],
        programme=row["programme"],
        memo=row["memo"],
    )


def draft_receipt(row: Mapping[str, Any], on: date) -> tuple[Entry, ...]:
    """What money that the fund received becomes."""
    entry = of_fund_receipt(
        row["id"],
        row["given_as"],
        row["amount_fen"],
        on,
        method=row["method"],
        restricted=row["restricted"],
        memo=row["memo"],
    )
    return (entry,)
