"""How a check of the books answers."""

from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from ledger.posting import rows


class Check(NamedTuple):
    """One check's outcome; `detail` names the first broken row."""

    ok: bool
    detail: str


def compare(session: Session, sql: str, name: str, **values: Any) -> Check:
    """A check by a query that answers the first difference and how many are `broken`."""
    for row in rows(session, sql, **values):
        return Check(False, f"{name.format_map(row)} differs; {row['broken']} broken in all")
    return Check(True, "recomputed, no difference")
