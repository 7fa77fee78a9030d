"""Changing a booking: another end, or none at all. Its tariff and terms stay as they were."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow, dict_row

from core.db import Connection, Session, Statement, driver, pipeline, send
from core.errors import Problem, invalid, not_found
from core.money import yuan
from identity import notices
from parking.plates import Plate
from parking.terms import cancel_fee_fen, length_refusal, refusal
from sharing import booked, claims, fees, waitlist
from sharing.allocation import Wish, ranked
from sharing.booking_facts import growth, priced, tariff_of, terms_of, wish_of, within_quotas
from sharing.bookings import LotFull, plate_elsewhere, suggesting
from tariffs.tariff import Circumstances, price

# Locks in this order; statements of their own, so that the look after them sees what others wrote.
# Who waits for the lot comes first because a change may serve them (see waitlist.py).
ALONE = """
SELECT pg_advisory_xact_lock(hashtextextended({0}, 0)) FROM booking b
WHERE b.id = %(id)s AND (%(household)s::bigint IS NULL OR b.household_id = %(household)s)
"""
LOCKS = (
    ALONE.format("'waitlist ' || lot_id")
    + """AND EXISTS (
        SELECT FROM waitlist_entry w WHERE w.lot_id = b.lot_id AND w.status = 'waiting'
    )""",
    ALONE.format("'household ' || household_id") + "AND household_id IS NOT NULL",
    ALONE.format("'plate ' || plate"),
    "SELECT FROM booking WHERE id = %(id)s FOR UPDATE",
)

HOLD = """
UPDATE space_claim SET space_id = place.id, group_id = place.group_id,
    during = tstzrange(
        CASE place.id WHEN space_id THEN lower(during) ELSE greatest(lower(during), %(now)s) END,
        %(ends)s)
FROM space AS place
WHERE booking_id = %(id)s AND live AND place.id = %(space)s
"""
CHANGE = """
UPDATE booking SET space_id = %(space)s, ends_at = %(ends)s, total_fen = %(total_fen)s,
    shortened_from_fen = %(shortened_from_fen)s
WHERE id = %(id)s
"""
CANCEL = """
UPDATE booking SET status = 'cancelled', ended_at = %(at)s, ended_reason = 'cancelled'
WHERE id = %(id)s
"""


def change_end(
    session: Session,
    booking_id: int,
    ends_at: datetime,
    *,
    household_id: int | None,
    now: datetime,
    zone: ZoneInfo,
) -> dict[str, Any]:
    """Extend or shorten a booking to `ends_at`, priced anew by its own tariff; as people see it.

    A longer one keeps its space if that is free, or moves while nobody has come. Problem 404 for
    another household's (`household_id` None sees all), 409 `not-changeable` once it has ended,
    422 for an end its terms do not allow, 409 `no-space-free`, `plate-elsewhere` or a quota's.
    """
    connection = driver(session)
    row = _alone(connection, booking_id, household_id)
    _check_change(row, ends_at, now)
    if ends_at == row["ends_at"]:
        return booked.booking(connection, booking_id, household_id, now=now, zone=zone)
    if ends_at > row["ends_at"]:
        space_id = _room_to_extend(session, row, ends_at, now, zone)
    else:
        space_id = row["space_id"]
    fee = price(tariff_of(row, zone), row["starts_at"], ends_at, _circumstances(row))
    values = {"id": booking_id, "space": space_id, "ends": ends_at, "now": now}
    values |= {"total_fen": fee.total_fen, "shortened_from_fen": _shortened_from(row, now)}
    send(connection, [(HOLD, values), (CHANGE, values)])
    if ends_at < row["ends_at"]:
        waitlist.serve(session, row["lot_id"], now, zone)
    changed = booked.booking(connection, booking_id, household_id, now=now, zone=zone)
    if household_id is None:
        said = (
            f"物业已将您的预约改为：{_what(changed, zone)}，费用 {yuan(changed['total_fen'])} 元。"
        )
        send(connection, _told(row, "booking-changed", said, now))
    return changed


def cancel(
    session: Session, booking_id: int, *, household_id: int | None, now: datetime, zone: ZoneInfo
) -> dict[str, Any]:
    """Cancel a booking for which nobody has come; what its terms ask for that is charged.

    Whoever waits for the space is served at once. Problem 404 for another household's, 409
    `not-cancellable` when the vehicle is inside or the booking has ended.
    """
    connection = driver(session)
    row = _alone(connection, booking_id, household_id)
    if row["status"] != "confirmed" or row["kind"] != "guest":
        detail = "Only a booking for which nobody has come yet can be cancelled."
        raise Problem(409, "not-cancellable", detail, booking_status=row["status"])
    statements = [(CANCEL, {"id": booking_id, "at": now}), claims.released(booking_id, now)]
    fee_fen = cancel_fee_fen(terms_of(row), fees.base_fen(row), row["starts_at"], now)
    if fee_fen:
        statements.append(fees.charged(row, fees.LATE_CANCEL, fee_fen, now, zone))
    if household_id is None:
        said = f"物业已取消您的预约：{_what(row, zone)}，取消费 {yuan(fee_fen)} 元。"
        statements += _told(row, "booking-cancelled", said, now)
    send(connection, statements)
    waitlist.serve(session, row["lot_id"], now, zone)
    return booked.booking(connection, booking_id, household_id, now=now, zone=zone)


def _alone(connection: Connection, booking_id: int, household_id: int | None) -> DictRow:
    """The booking as it is now, its household and plate to ourselves; Problem 404 if not ours."""
    values = {"id": booking_id, "household": household_id}
    with pipeline(connection), connection.cursor(row_factory=dict_row) as cursor:
        for lock in LOCKS:
            connection.execute(lock, values)
        row = cursor.execute(booked.WHOLE, values).fetchone()
    if row is None:
        raise not_found("booking")
    return row


def _shortened_from(row: DictRow, now: datetime) -> int | None:
    """What the fees of a booking stay reckoned from once cancelling costs something."""
    free_minutes = terms_of(row).cancel_free_minutes
    if now <= row["starts_at"] - timedelta(minutes=free_minutes):
        return None
    return max(fees.base_fen(row), int(row["total_fen"]))


def _check_change(row: DictRow, ends_at: datetime, now: datetime) -> None:
    over = row["status"] not in ("confirmed", "checked_in") or row["ends_at"] <= now
    if over or row["kind"] != "guest":
        detail = "A booking can be changed until it has ended."
        raise Problem(409, "not-changeable", detail, booking_status=row["status"])
    if ends_at <= now:
        raise invalid("ends_at", "must not be in the past")
    if wrong := length_refusal(terms_of(row), row["starts_at"], ends_at):
        raise invalid("ends_at", wrong[1])


def _room_to_extend(
    session: Session, row: DictRow, ends_at: datetime, now: datetime, zone: ZoneInfo
) -> int:
    """The space for the longer booking: its own or, while nobody has come, the best other."""
    connection, terms = driver(session), terms_of(row)
    met = growth(connection, row, ends_at, zone)
    if met["elsewhere"]:
        raise plate_elsewhere()
    span = row["starts_at"], ends_at
    if row["household_id"] is not None:
        already_open = -1  # this booking needs no new place among the open ones
        within_quotas(terms, already_open, met["used_minutes"], span, zone)
    wish = wish_of(row["wish"], terms, row["lot_kind"])
    rest = row["ends_at"], ends_at
    longer = _free(connection, row, rest, wish, now, zone)
    if row["space_id"] in longer:
        return int(row["space_id"])
    if row["status"] == "confirmed":
        others = _free(connection, row, span, wish, now, zone)
        if others:
            return others[0]
    inside = row["status"] == "checked_in"
    full = LotFull(row["lot_id"], wish, _circumstances(row))
    refused = suggesting(driver(session), full, rest if inside else span, row["plate"], now, zone)
    if inside and longer:
        refused.more["alternatives"][:0] = _next_door(connection, row, rest, len(longer), now, zone)
    raise refused


def _next_door(
    connection: Connection,
    row: DictRow,
    rest: tuple[datetime, datetime],
    bookable: int,
    now: datetime,
    zone: ZoneInfo,
) -> list[dict[str, Any]]:
    """Another space of the lot for the rest of the time, as a booking of its own."""
    here = priced(connection, row["lot"], rest[0], Plate(row["plate"], row["plate_color"]), now)
    if refusal(terms_of(here), *rest, now):
        return []
    fee = price(tariff_of(here, zone), *rest, _circumstances(row))
    begins, ends = (instant.astimezone(zone).isoformat() for instant in rest)
    asked = {"lot": row["lot"], "starts_at": begins, "ends_at": ends}
    return [asked | {"bookable": bookable, "total_fen": fee.total_fen}]


def _circumstances(row: DictRow) -> Circumstances:
    return Circumstances(row["vehicle_class"], row["new_energy"])


def _free(
    connection: Connection,
    row: DictRow,
    span: tuple[datetime, datetime],
    wish: Wish,
    now: datetime,
    zone: ZoneInfo,
) -> list[int]:
    """Ids of the spaces that are free for a time, but for this booking's own claim; best first."""
    found = claims.free(connection, row["lot_id"], *span, now=now, zone=zone, leaving=row["id"])
    return ranked(found, wish)


def _told(row: DictRow, kind: str, said: str, now: datetime) -> list[Statement]:
    """The household hears what the desk did to its booking."""
    if row["household_id"] is None:
        return []
    about = {"about": "booking", "about_id": row["id"]}
    return [notices.told(row["household_id"], kind, said, **about, at=now)]


def _what(row: Mapping[str, Any], zone: ZoneInfo) -> str:
    starts_at, ends_at = (row[name].astimezone(zone) for name in ("starts_at", "ends_at"))
    when = f"{starts_at:%m月%d日 %H:%M} 至 {ends_at:%m月%d日 %H:%M}"
    return f"{row['plate']}，{row['lot']} {row['space']}，{when}"
