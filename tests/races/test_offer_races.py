"""What is offered changes while others book: nobody is left outside of an offer."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from core import clock
from core.db import db
from tests.cast import NOON, Community
from tests.races.crowd import at_once
from tests.sharing.offering import at, book, own, share, space_of

DAY = timedelta(days=1)
NIGHT: dict[str, Any] = {"weekdays": [1, 2, 3, 4, 5, 6, 7], "from": "20:00", "to": "08:00"}

STRANDED = """
SELECT count(*) FROM booking b JOIN space s ON s.id = b.space_id
WHERE b.status IN ('confirmed', 'checked_in') AND (
    NOT coalesce(s.offered @> tstzrange(b.starts_at, b.ends_at), true)
    OR NOT EXISTS (SELECT FROM space_claim c WHERE c.booking_id = b.id AND c.live
                   AND c.space_id = b.space_id))
"""


def stranded() -> int:
    with db.engine.connect() as connection:
        return int(connection.execute(text(STRANDED)).scalar_one())


def test_a_permit_waits_for_who_is_booking_its_space(app: Flask, community: Community) -> None:
    """Whoever is first, the other sees it; when all five are booked the permit is refused."""

    def granting(client: FlaskClient) -> int:
        card = {
            "lot": "B2",
            "kind": "monthly",
            "plate": "川D44444",
            "space": "B2-001",
            "starts_at": NOON.isoformat(),
            "ends_at": (NOON + 30 * DAY).isoformat(),
        }
        return client.post("/api/v1/permits", json=card, headers=desk).status_code

    def booking(number: int) -> Callable[[FlaskClient], int]:
        body = {
            "lot": "B2",
            "starts_at": at("11-24 09:00").isoformat(),
            "ends_at": at("11-24 17:00").isoformat(),
            "plate": f"川Z0000{number}",
        }
        key = {"Idempotency-Key": f"{number}"}
        return lambda client: (
            client.post("/api/v1/bookings", json=body, headers=desk | key).status_code
        )

    with clock.at(NOON):
        desk = community.as_person("olga")
        answers = at_once(app, [granting, *(booking(number) for number in range(6))])
    permit, booked = answers[0], answers[1:].count(201)
    assert (permit, booked) in {(201, 4), (409, 5)}
    assert set(answers) == {201, 409}
    assert stranded() == 0


def test_windows_come_and_go_while_neighbours_book(app: Flask, community: Community) -> None:
    own(community, *(f"P-{number}" for number in range(4)))
    windows = [share(community, f"P-{number}", **NIGHT)[1]["id"] for number in range(4)]
    nights = [
        book(community, f"P-{number}", "11-24 21:00", "11-25 07:00", plate=f"川Z1000{number}")
        for number in range(4)
    ]

    def closing(number: int) -> Callable[[FlaskClient], int]:
        path = f"/api/v1/spaces/P-{number}/sharing-windows/{windows[number]}"
        return lambda client: client.delete(path, headers=owner).status_code

    def shortening(number: int) -> Callable[[FlaskClient], int]:
        path = f"/api/v1/spaces/P-{number}/sharing-windows/{windows[number]}"
        body = {"to": "06:00"}
        return lambda client: client.patch(path, json=body, headers=owner).status_code

    with clock.at(NOON):
        owner = community.as_person("ana")
        calls = [made(number) for number in range(4) for made in (closing, shortening)]
        answers = at_once(app, calls)
    assert set(answers) <= {200, 204, 404}
    assert answers.count(204) == 4
    assert sorted(map(space_of, nights)) == ["B2-001", "B2-002", "B2-003", "B2-004"]
    assert stranded() == 0
