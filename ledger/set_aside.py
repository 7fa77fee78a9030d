"""Source rows that settlement set aside: which, why, and trying them again."""

from collections.abc import Sequence
from typing import Any

import structlog
from psycopg.rows import DictRow
from sqlalchemy.orm import Session

from core.errors import not_found
from ledger import settlement
from ledger.posting import execute, rows

log = structlog.get_logger()

PAGE = """
SELECT of_table AS "table", id, set_aside_reason AS reason, amount_fen, occurred_at, recorded_at,
    count(*) OVER () AS total
FROM source_row WHERE settled_at IS NULL AND set_aside_reason IS NOT NULL
    AND set_aside_reason = coalesce(%(reason)s, set_aside_reason)
ORDER BY recorded_at, "table", id LIMIT %(limit)s OFFSET %(offset)s
"""

RELEASE = """
UPDATE {0} SET set_aside_reason = NULL
WHERE id = %(id)s AND settled_at IS NULL AND set_aside_reason IS NOT NULL
"""


def found(
    session: Session, reason: str | None, limit: int, offset: int
) -> tuple[int, Sequence[DictRow]]:
    """How many rows are set aside, for this reason if given, and a page of them, oldest first."""
    page = rows(session, PAGE, reason=reason, limit=limit, offset=offset)
    return (page[0]["total"] if page else 0), page


def release_row(session: Session, table: str, row_id: int, person_id: int) -> dict[str, Any]:
    """Let settlement try one row again; Problem 404 when it is not set aside."""
    released = 0
    if table in settlement.tables():
        released = execute(session, RELEASE.format(table), {"id": row_id}).rowcount
    if not released:
        raise not_found("row that is set aside")
    log.info("released", table=table, id=row_id, person=person_id)
    return {"released": released}


def release_reason(session: Session, reason: str, person_id: int) -> dict[str, Any]:
    """Let settlement try all rows again that were set aside for this reason."""
    released = settlement.release(session, reason)
    log.info("released", reason=reason, rows=released, person=person_id)
    return {"released": released}
