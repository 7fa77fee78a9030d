"""What a book has and owes at this moment, as its entries say and what is under way leaves."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger.accounts import FUND
from ledger.posting import rows
from treasury.drafts import MONEY

# Disbursements whose money is as good as gone, though the books do not say so yet.
UNDER_WAY = """
SELECT coalesce(sum(amount_fen), 0)::bigint AS fen FROM disbursement
WHERE status = ANY (%(statuses)s) AND settled_at IS NULL
    AND book = coalesce(%(book)s::text, book) AND kind = coalesce(%(kind)s::text, kind)
"""
STANDS = """
SELECT coalesce(sum(debit_fen - credit_fen), 0)::bigint AS fen FROM account_month
WHERE account = ANY (%(accounts)s)
"""
RESTRICTED = "SELECT coalesce(sum(given_fen - spent_fen), 0)::bigint AS fen FROM restricted_money"


def one_at_a_time(session: Session) -> None:
    """Let nobody else decide on the same money until this transaction ends."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('treasury', 0))"))


def stands_fen(session: Session, *accounts: str) -> int:
    """The debit balance of these accounts together."""
    return _fen(rows(session, STANDS, accounts=list(accounts)))


def under_way_fen(
    session: Session, *, statuses: list[str], book: str | None = None, kind: str | None = None
) -> int:
    """What disbursements of these statuses will take that are not in the books yet."""
    return _fen(rows(session, UNDER_WAY, statuses=statuses, book=book, kind=kind))


def available_fen(session: Session, book: str) -> int:
    """Money of a book that nothing is approved for yet; in it is what is given for a purpose."""
    money = [account for (of_book, _), account in MONEY.items() if of_book == book]
    gone_fen = under_way_fen(session, statuses=["approved", "paid"], book=book)
    return stands_fen(session, *money) - gone_fen


def unrestricted_fen(session: Session, book: str) -> int:
    """What of it may pay for anything: less what was given for programmes and not spent."""
    kept_fen = _fen(rows(session, RESTRICTED)) if book == FUND else 0
    return available_fen(session, book) - kept_fen


def _fen(found: list[dict[str, int]]) -> int:
    return found[0]["fen"]
