"""What a book has and owes at this moment, as its entries say and what is under way leaves."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.errors import Problem
from ledger.accounts import CASH, FUND, FUND_PAYABLE, OWNERS_PAYABLE, PROPERTY_PAYABLE
from ledger.posting import rows
from treasury.drafts import DRAWN_ON, MONEY
from treasury.models import (
    APPROVED,
    EXPENSE,
    FUND_SHARE,
    PAID,
    PAYOUT,
    PROVIDER_SHARE,
    Disbursement,
)

# Disbursements whose money is as good as gone, though the books do not say so yet.
UNDER_WAY = """
SELECT coalesce(sum(amount_fen), 0)::bigint AS fen FROM disbursement
WHERE status = ANY (%(statuses)s) AND settled_at IS NULL AND book = %(book)s
    AND (kind = ANY (%(kinds)s) OR kind = 'expense' AND method = %(method)s)
"""
REFUNDED = """
SELECT coalesce(sum(amount_fen), 0)::bigint AS fen FROM fee_refund
WHERE method = 'cash' AND settled_at IS NULL
"""
STANDS = """
SELECT coalesce(sum(debit_fen - credit_fen), 0)::bigint AS fen FROM account_month
WHERE account = ANY (%(accounts)s)
"""
RESTRICTED = """
SELECT coalesce(sum(given_fen - spent_fen), 0)::bigint AS fen FROM restricted_money
WHERE programme = coalesce(%(programme)s::text, programme)
"""
OWED = """
SELECT (coalesce((
        SELECT -sum(amount_fen) FROM posting
        WHERE account = %(account)s AND party IS NOT DISTINCT FROM %(party)s
    ), 0) - coalesce((
        SELECT sum(amount_fen) FROM disbursement
        WHERE kind = %(kind)s AND party IS NOT DISTINCT FROM %(party)s AND id <> %(id)s
            AND status IN ('approved', 'paid') AND settled_at IS NULL
    ), 0))::bigint AS fen
"""
PAYABLE = {
    PAYOUT: OWNERS_PAYABLE,
    FUND_SHARE: FUND_PAYABLE,
    PROVIDER_SHARE: PROPERTY_PAYABLE,
}
"""What a payout or share is for: the account that says how much is owed."""

SPENDING = [EXPENSE, *(kind for kind, money in DRAWN_ON.items() if money == "bank")]
"""Kinds that leave a book with less: all but bringing its cash to the bank."""


def one_at_a_time(session: Session) -> None:
    """Let nobody else decide on the same money until this transaction ends."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('treasury', 0))"))


def stands_fen(session: Session, *accounts: str) -> int:
    """The debit balance of these accounts together."""
    return _fen(rows(session, STANDS, accounts=list(accounts)))


def under_way_fen(
    session: Session,
    book: str,
    *,
    kinds: Sequence[str],
    statuses: Sequence[str],
    method: str | None = None,
) -> int:
    """What disbursements of these statuses will take that are not in the books yet.

    Of these kinds, and the expenses that were paid by `method`.
    """
    said = {"kinds": list(kinds), "statuses": list(statuses), "method": method}
    return _fen(rows(session, UNDER_WAY, book=book, **said))


def available_fen(session: Session, book: str) -> int:
    """Money of a book that nothing is approved for yet; in it is what is given for a purpose."""
    gone_fen = under_way_fen(session, book, kinds=SPENDING, statuses=[APPROVED, PAID])
    money = [account for (of_book, _), account in MONEY.items() if of_book == book]
    return _left_fen(session, money, gone_fen)


def unrestricted_fen(session: Session, book: str) -> int:
    """What of it may pay for anything: less what was given for programmes and not spent."""
    kept_fen = restricted_fen(session) if book == FUND else 0
    return available_fen(session, book) - kept_fen


def restricted_fen(session: Session, programme: str | None = None) -> int:
    """What was given for a programme, or any, and is not approved to be spent."""
    return _fen(rows(session, RESTRICTED, programme=programme))


def in_account_fen(session: Session, book: str, method: str, statuses: Sequence[str]) -> int:
    """What a book has in its cash box or at its bank alone, less what goes at these steps.

    An expense goes from one of them when it is paid; until then it counts for neither.
    """
    kinds = [kind for kind, money in DRAWN_ON.items() if money == method]
    gone_fen = under_way_fen(session, book, kinds=kinds, statuses=statuses, method=method)
    return _left_fen(session, [MONEY[book, method]], gone_fen)


def owed_fen(session: Session, wanted: Disbursement) -> int:
    """What is still owed of what a payout or share is for, less others on their way to be paid."""
    said = {"kind": wanted.kind, "party": wanted.party, "id": wanted.id}
    return _fen(rows(session, OWED, account=PAYABLE[wanted.kind], **said))


def enough(asked_fen: int, there_fen: int, where: str) -> None:
    """Problem 409 `insufficient-funds` unless there is as much as is asked for.

    `where` is the code of a book or an account.
    """
    if asked_fen > there_fen:
        detail = f"{where} has {there_fen} fen for it, and {asked_fen} fen are asked."
        raise Problem(
            409,
            "insufficient-funds",
            detail,
            where=where,
            available_fen=there_fen,
            asked_fen=asked_fen,
        )


def _left_fen(session: Session, accounts: Sequence[str], gone_fen: int) -> int:
    """Less also the cash that was handed back.

    What is not in the books yet is read first, the books after it: what settlement posts in
    between counts twice, never not at all.
    """
    if CASH in accounts:
        gone_fen += _fen(rows(session, REFUNDED))
    return stands_fen(session, *accounts) - gone_fen


def _fen(found: list[dict[str, int]]) -> int:
    return found[0]["fen"]
