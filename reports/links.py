"""From a figure to the entries behind it. Pure."""

from datetime import date, datetime
from urllib.parse import urlencode

ENTRIES = "/api/v1/ledger/entries"


def entries(
    account: str,
    since: date | None,
    until: date,
    *,
    party: str | None = None,
    known_at: datetime | None = None,
) -> str:
    """The list of entries that a figure of an account and period sums."""
    wanted = {
        "account": account,
        "party": party,
        "from": since,
        "to": until,
        "known_at": known_at.isoformat() if known_at else None,
    }
    return f"{ENTRIES}?{urlencode({name: said for name, said in wanted.items() if said})}"
