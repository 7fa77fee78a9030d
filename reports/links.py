"""From a figure to what is behind it. Pure."""

from datetime import date, datetime
from urllib.parse import quote

LEDGER = "/api/v1/ledger"


def entries(
    account: str,
    since: date | None,
    until: date,
    known_at: datetime | None = None,
    against: str | None = None,
) -> str:
    """The list of entries that a figure of an account and period sums.

    `against`: only those that also move an account whose code begins so.
    """
    since_then = f"&from={since}" if since else ""
    beside = f"&against={against}" if against else ""
    return f"{LEDGER}/entries?account={account}{since_then}&to={until}{beside}{_known(known_at)}"


def statement(book: str, since: date, until: date, known_at: datetime | None = None) -> str:
    """The 业务活动表 of a book and period."""
    return f"{LEDGER}/statement?book={book}&from={since}&to={until}{_known(known_at)}"


def trial_balance(book: str, as_of: date) -> str:
    """The balances of a book at the end of a day."""
    return f"{LEDGER}/trial-balance?book={book}&as_of={as_of}"


def export(book: str, since: date, until: date) -> str:
    """The postings of a book and period as a table."""
    return f"{LEDGER}/export?format=csv&book={book}&from={since}&to={until}"


def trace(entry_id: int) -> str:
    """What an entry came from."""
    return f"{LEDGER}/trace?entry={entry_id}"


def _known(at: datetime | None) -> str:
    return f"&known_at={quote(at.isoformat())}" if at else ""
