"""From a figure to the entries behind it. Pure."""

from datetime import date, datetime
from urllib.parse import quote

ENTRIES = "/api/v1/ledger/entries"


def entries(
    account: str,
    since: date | None,
    until: date,
    known_at: datetime | None = None,
) -> str:
    """The list of entries that a figure of an account and period sums."""
    since_then = f"&from={since}" if since else ""
    recorded = f"&known_at={quote(known_at.isoformat())}" if known_at else ""
    return f"{ENTRIES}?account={account}{since_then}&to={until}{recorded}"
