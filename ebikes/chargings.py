"""Chargings as people see them, and those that go on for too long."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from psycopg.rows import dict_row
from sqlalchemy import CursorResult, text
from sqlalchemy.orm import Session

from core.db import driver, fetch_row

MATCHING = """
WHERE (%(household)s::bigint IS NULL OR s.household_id = %(household)s)
  AND (%(stay)s::bigint IS NULL OR s.id = %(stay)s)
"""

PAGE = f"""
SELECT c.id, c.stay_id, lot.code AS lot, space.code AS spot, s.plate, c.started_at, c.ended_at,
    c.energy_wh, c.seconds, c.stop_reason, fee.id AS charge_id,
    coalesce(r.charged_fen, 0) AS total_fen,
    coalesce(r.charged_fen - r.paid_fen, 0) AS due_fen, coalesce(fee.lines, '[]') AS lines
FROM charging c
JOIN stay s ON s.id = c.stay_id
JOIN space ON space.id = c.space_id
JOIN lot ON lot.id = space.lot_id
LEFT JOIN receivable r ON r.source = 'charging' AND r.source_id = c.id
LEFT JOIN charge fee ON fee.source = 'charging' AND fee.source_id = c.id AND fee.kind = 'fee'
{MATCHING}
ORDER BY c.id DESC LIMIT %(limit)s OFFSET %(offset)s
"""  # noqa: S608 - constants of ours

COUNT = f"SELECT count(*) AS count FROM charging c JOIN stay s ON s.id = c.stay_id {MATCHING}"  # noqa: S608 - constants of ours

OVERLONG = """
INSERT INTO exception_case (subject, subject_id, reason, plate, raised_at)
SELECT DISTINCT ON (s.id) 'stay', s.id, 'charging-too-long', s.plate, :now
FROM charging c
JOIN stay s ON s.id = c.stay_id
JOIN tariff t ON t.id = c.tariff_id
WHERE c.ended_at IS NULL
  AND c.started_at + make_interval(mins => (t.rules #>> '{energy,longest_minutes}')::int) < :now
ON CONFLICT (subject, subject_id, reason) DO NOTHING
"""


def chargings(session: Session, wanted: dict[str, Any]) -> tuple[int, Sequence[dict[str, Any]]]:
    """How many chargings match, and one page of them, newest first.

    `wanted` has household and stay (None matches all), limit and offset.
    """
    with driver(session).cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(PAGE, wanted).fetchall()
    count = fetch_row(driver(session), (COUNT, wanted))
    return (count or {"count": 0})["count"], [_shown(row) for row in rows]


def overlong(session: Session, now: datetime) -> int:
    """Tell operators of e-bikes that charge longer than their tariff allows; how many are new."""
    done = session.execute(text(OVERLONG), {"now": now})
    return cast("CursorResult[Any]", done).rowcount


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    fee = {name: row.pop(name) for name in ("total_fen", "due_fen", "lines")}
    return row | {"fee": fee}
