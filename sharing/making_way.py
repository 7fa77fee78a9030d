"""Bookings that make way: moved to another free space, and their guests told."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow, dict_row

from core.db import Connection, send
from core.errors import Problem
from identity.notices import told
from sharing import claims
from sharing.booking_facts import terms_of, wish_of

BOOKED = """
SELECT b.id, b.space_id, b.lot_id, b.household_id, b.status, b.starts_at, b.ends_at, b.wish,
    space.code AS space, lot.kind,
    (SELECT rules FROM booking_terms t WHERE t.lot_id = b.lot_id AND t.valid_from <= %(now)s
     ORDER BY t.valid_from DESC LIMIT 1) AS terms
FROM booking b JOIN space ON space.id = b.space_id JOIN lot ON lot.id = b.lot_id
WHERE b.status IN ('confirmed', 'checked_in') AND {0}
ORDER BY b.starts_at, b.id FOR UPDATE OF b
"""


def booked(
    connection: Connection, condition: str, values: Mapping[str, Any], now: datetime
) -> list[DictRow]:
    """The active bookings `b` of a condition in SQL, by their start, for `make_way`.

    The caller has locked their spaces. A gate that decides about one of them meanwhile waits for
    the booking's row, and then finds it where it was moved to.
    """
    known = dict(values) | {"now": now}
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(BOOKED.format(condition), known).fetchall()


def make_way(
    connection: Connection,
    bookings: Iterable[DictRow],
    *,
    now: datetime,
    zone: ZoneInfo,
    moved: Callable[[DictRow], None] | None = None,
) -> None:
    """Move each of these bookings to another space and tell its guest; `moved` hears of each.

    Problem 409 names those that cannot: a guest who is inside stays, and a lot may be full.
    """
    in_the_way = []
    for booking in bookings:
        space = None
        if booking["status"] == "confirmed":
            wish = wish_of(booking["wish"], terms_of(booking), booking["kind"])
            space = claims.moved(connection, booking["id"], now=now, zone=zone, wish=wish)
        if space is None:
            in_the_way.append(booking)
            continue
        if booking["household_id"] is not None:
            text = _text(booking, space, zone)
            about = {"about": "booking", "about_id": booking["id"]}
            send(
                connection,
                [told(booking["household_id"], "booking-moved", text, **about, at=now)],
            )
        if moved is not None:
            moved(booking)
    if in_the_way:
        raise _refused(in_the_way)


def _text(booking: DictRow, space: str, zone: ZoneInfo) -> str:
    begins, ends = (booking[name].astimezone(zone) for name in ("starts_at", "ends_at"))
    when = f"{begins:%m月%d日 %H:%M} 至 {ends:%m月%d日 %H:%M}"
    return f"您预约的车位已换：{booking['space']} → {space}（{when}）。费用不变，请停到新车位。"


def _refused(bookings: Iterable[DictRow]) -> Problem:
    return Problem(
        409,
        "active-bookings",
        "Bookings are in the way that cannot be moved to another space.",
        bookings=[
            {
                "id": booking["id"],
                "starts_at": booking["starts_at"].isoformat(),
                "ends_at": booking["ends_at"].isoformat(),
            }
            for booking in bookings
        ],
    )
