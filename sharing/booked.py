"""Bookings as people see them: their row, what they cost, and what their terms come to."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow, dict_row

from core.db import Connection, fetch_row
from core.errors import not_found
from parking.terms import cancel_fee_fen, no_show_fee_fen
from sharing.booking_facts import tariff_of, terms_of
from sharing.fees import base_fen
from tariffs.tariff import Circumstances, price

COLUMNS = """b.id, b.kind, b.status, b.lot_id, b.space_id, b.household_id, b.plate, b.plate_color,
    b.vehicle_class, b.new_energy, b.starts_at, b.ends_at, b.quote_id, b.total_fen,
    b.shortened_from_fen, b.wish,
    b.recorded_at, b.ended_at, b.ended_reason"""

FROM = """
FROM booking b
JOIN lot ON lot.id = b.lot_id
JOIN space ON space.id = b.space_id
LEFT JOIN booking_terms terms ON terms.id = b.terms_id
LEFT JOIN receivable r ON r.source = 'booking' AND r.source_id = b.id
"""
SEEN = f"""
SELECT {COLUMNS}, lot.code AS lot, space.code AS space, terms.rules AS terms,
    r.charged_fen, r.paid_fen
{FROM}"""

# With all that changing it or explaining its price takes.
WHOLE = f"""
SELECT {COLUMNS}, lot.code AS lot, lot.kind AS lot_kind,
    space.code AS space, space.owner_household_id,
    terms.rules AS terms, b.terms_id, r.charged_fen, r.paid_fen,
    t.id AS tariff_id, t.version AS tariff_version, t.rules AS tariff_rules,
    (SELECT jsonb_object_agg(day, kind) FROM calendar_day) AS calendar
{FROM}
LEFT JOIN tariff t ON t.id = b.tariff_id
WHERE b.id = %(id)s AND (%(household)s::bigint IS NULL OR b.household_id = %(household)s)
"""  # noqa: S608 - constants of ours

MATCHING = """
WHERE (%(household)s::bigint IS NULL OR b.household_id = %(household)s)
  AND (%(status)s::text IS NULL OR b.status = %(status)s)
  AND (%(lot)s::text IS NULL OR lot.code = %(lot)s)
  AND (%(plate)s::text IS NULL OR b.plate = %(plate)s)
  AND (%(since)s::timestamptz IS NULL OR b.ends_at > %(since)s)
  AND (%(until)s::timestamptz IS NULL OR b.starts_at < %(until)s)
"""
PAGE = SEEN + MATCHING + "ORDER BY b.id DESC LIMIT %(limit)s OFFSET %(offset)s"
COUNT = f"""
SELECT count(*) AS count FROM booking b JOIN lot ON lot.id = b.lot_id {MATCHING}
"""  # noqa: S608 - constants of ours


def booking(
    connection: Connection,
    booking_id: int,
    household_id: int | None,
    *,
    now: datetime,
    zone: ZoneInfo,
) -> dict[str, Any]:
    """One booking with the lines of its price; Problem 404 for another household's."""
    row = fetch_row(connection, (WHOLE, {"id": booking_id, "household": household_id}))
    if row is None:
        raise not_found("booking")
    return shown(row, now) | {"lines": _lines(row, zone)}


def bookings(
    connection: Connection, wanted: Mapping[str, Any], now: datetime
) -> tuple[int, Sequence[dict[str, Any]]]:
    """How many bookings match, and one page of them, the newest first.

    `wanted` has household, status, lot, plate, since and until (None matches all; a booking
    matches a time it touches), limit and offset.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(PAGE, wanted).fetchall()
    count = fetch_row(connection, (COUNT, wanted)) or {}
    return count["count"], [shown(row, now) for row in rows]


def shown(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """A row of `SEEN` as people see it; `terms` says what they come to for this booking.

    `cancel_fee_fen` is what cancelling at `now` would cost; None when it cannot be cancelled.
    """
    names = ("id", "kind", "status", "lot", "space", "plate", "plate_color", "starts_at", "ends_at")
    told = {name: row[name] for name in names}
    told |= {name: row[name] for name in ("total_fen", "quote_id", "household_id")}
    told |= {"preferences": row["wish"], "booked_at": row["recorded_at"]}
    told |= {"ended_at": row["ended_at"], "ended_reason": row["ended_reason"]}
    told |= {"fee_fen": row["charged_fen"] or 0, "paid_fen": row["paid_fen"] or 0}
    return told | {"terms": _terms(row, now)}


def _terms(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    terms, starts_at, total = terms_of(row), row["starts_at"], base_fen(row)
    open_to_cancel = row["status"] == "confirmed" and row["kind"] == "guest"
    return {
        "free_cancellation_until": starts_at - timedelta(minutes=terms.cancel_free_minutes),
        "cancel_fee_fen": cancel_fee_fen(terms, total, starts_at, now) if open_to_cancel else None,
        "no_show_fee_fen": no_show_fee_fen(terms, total),
        "hold_until": min(row["ends_at"], starts_at + timedelta(minutes=terms.hold_minutes)),
        "early_minutes": terms.early_minutes,
        "late_minutes": terms.late_minutes,
    }


def _lines(row: DictRow, zone: ZoneInfo) -> list[dict[str, Any]]:
    """The lines of the frozen tariff; should the calendar have changed since, the rest is said."""
    if row["tariff_id"] is None:
        return []
    of = Circumstances(row["vehicle_class"], row["new_energy"])
    fee = price(tariff_of(row, zone), row["starts_at"], row["ends_at"], of)
    lines: list[dict[str, Any]] = [dict(line.as_json()) for line in fee.lines]
    if rest := row["total_fen"] - fee.total_fen:
        lines.append({"label": "预约时约定", "amount_fen": rest, "rule": "as-promised"})
    return lines
