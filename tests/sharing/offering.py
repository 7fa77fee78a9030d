"""Ana's private space P-1, Bo's bookings, and how they and the desk ask for things."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from core import clock
from core.db import atomic, db
from parking import lots
from tests.cast import NOON, Community

ZONE = ZoneInfo("Asia/Shanghai")

BOOK = """
WITH made AS (SELECT nextval('booking_id_seq') AS id), claimed AS (
    SELECT made.id, claim_space(ARRAY[(SELECT id FROM space WHERE code = :space)],
                                tstzrange(:starts, :ends), made.id) AS space FROM made
)
INSERT INTO booking (id, lot_id, space_id, household_id, booked_by, plate, plate_color, starts_at,
                     ends_at, tariff_id, total_fen, wish, recorded_at)
SELECT claimed.id, space.lot_id, claimed.space, :household, person.id, :plate, 'blue', :starts,
       :ends, tariff.id, 600, CAST(:wish AS jsonb), :now
FROM claimed JOIN space ON space.id = claimed.space
JOIN tariff ON tariff.lot_id = space.lot_id
JOIN person ON person.household_id = :household
RETURNING id
"""


def at(day: str) -> datetime:
    """An instant by the wall's clock of 2026; November 23rd is a Monday."""
    return datetime.fromisoformat(f"2026-{day}").replace(tzinfo=ZONE).astimezone(UTC)


def own(community: Community, *codes: str, name: str = "ana") -> None:
    """New private spaces of somebody's household."""
    owners = dict.fromkeys(codes, community.households[name])
    atomic(lambda s: lots.add_spaces(s, lots.lot_by_code(s, "B2"), codes, owners))


def asked(
    community: Community,
    name: str,
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    now: datetime = NOON,
    **query: Any,
) -> tuple[int, Any]:
    """Somebody asks at a set time; status and answer."""
    with clock.at(now):
        answer = community.client.open(
            f"/api/v1/{path}",
            method=method,
            json=body,
            query_string=query,
            headers=community.as_person(name),
        )
    return answer.status_code, answer.get_json(silent=True)


def share(
    community: Community, space: str = "P-1", name: str = "ana", **window: Any
) -> tuple[int, Any]:
    """Somebody offers a space, from 08:30 to 18:00 every day unless told otherwise."""
    body = {
        "weekdays": [1, 2, 3, 4, 5, 6, 7],
        "from": "08:30",
        "to": "18:00",
        "valid_from": "2026-11-01",
        **window,
    }
    return asked(community, name, "POST", f"spaces/{space}/sharing-windows", body)


def book(
    community: Community,
    space: str,
    starts: str,
    ends: str,
    *,
    plate: str = "川B22222",
    wish: str = "{}",
) -> int:
    """Bo books this very space; the booking's id."""
    values = {
        "space": space,
        "starts": at(starts),
        "ends": at(ends),
        "household": community.households["bo"],
        "plate": plate,
        "wish": wish,
        "now": NOON,
    }
    return int(atomic(lambda session: session.execute(text(BOOK), values).scalar_one()))


def check_in(booking_id: int) -> None:
    """The guest has come."""
    change = "UPDATE booking SET status = 'checked_in' WHERE id = :id"
    atomic(lambda session: session.execute(text(change), {"id": booking_id}))


def space_of(booking_id: int) -> str:
    """Where a booking is, by its row and its claim alike."""
    where = """
        SELECT DISTINCT space.code FROM space WHERE id IN (
            SELECT space_id FROM booking WHERE id = :id UNION ALL
            SELECT space_id FROM space_claim WHERE booking_id = :id AND live)
    """
    with db.engine.connect() as connection:
        return str(connection.execute(text(where), {"id": booking_id}).scalar_one())


def offered(space: str, since: str, until: str) -> list[tuple[str, str]] | None:
    """What a space offers between two midnights, by the wall's clock; None is always."""
    look = """
        SELECT lower(span), upper(span) FROM space,
            unnest(offered * tstzmultirange(tstzrange(:since, :until))) AS span
        WHERE code = :code
    """
    values = {"code": space, "since": at(since), "until": at(until)}
    with db.engine.connect() as connection:
        always = text("SELECT offered IS NULL FROM space WHERE code = :code")
        if connection.execute(always, values).scalar_one():
            return None
        rows = connection.execute(text(look), values).all()
    return [(f"{a.astimezone(ZONE):%d %H:%M}", f"{b.astimezone(ZONE):%d %H:%M}") for a, b in rows]
