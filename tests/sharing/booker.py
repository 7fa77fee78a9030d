"""How tests book: requests of people at instants, and what they get."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from tests.cast import NOON, Community

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LATER = NOON + 2 * HOUR
VISITOR = "川C33333"
DOUBLE = """
SELECT count(*) FROM space_claim a JOIN space_claim b
ON a.space_id = b.space_id AND a.id < b.id AND a.live AND b.live AND a.during && b.during
"""


def send(
    community: Community, method: str, path: str, name: str, now: datetime, **body: Any
) -> TestResponse:
    """A request of a person at an instant."""
    with clock.at(now):
        headers = community.as_person(name)
        return community.client.open(
            f"/api/v1{path}", method=method, json=body or None, headers=headers
        )


def wanted(**changes: Any) -> dict[str, Any]:
    """Ana's car, B2, for three hours, two hours after noon."""
    times = {"starts_at": LATER, "ends_at": LATER + 3 * HOUR} | {
        name: changes.pop(name) for name in ("starts_at", "ends_at") if name in changes
    }
    body = {"lot": "B2", "plate": "川A12345"} | changes
    return body | {n: t.isoformat() if isinstance(t, datetime) else t for n, t in times.items()}


def book(
    community: Community,
    name: str = "ana",
    *,
    key: str | None = None,
    now: datetime = NOON,
    **changes: Any,
) -> TestResponse:
    """Book what `wanted` says, with a key of its own unless one is given."""
    community.sent += 1
    with clock.at(now):
        headers = community.as_person(name) | {"Idempotency-Key": key or f"k{community.sent}"}
        return community.client.post("/api/v1/bookings", json=wanted(**changes), headers=headers)


def booked(community: Community, name: str = "ana", **changes: Any) -> dict[str, Any]:
    """A booking that is made."""
    answer = book(community, name, **changes)
    assert answer.status_code == 201, answer.get_json()
    made: dict[str, Any] = answer.get_json()
    return made


def refused(answer: TestResponse) -> tuple[int, str]:
    """Status and slug of a problem."""
    assert answer.mimetype == "application/problem+json", answer.get_json()
    return answer.status_code, answer.get_json()["code"]


def terms(community: Community, **rules: Any) -> None:
    """New terms of B2, from noon on."""
    answer = send(community, "POST", "/lots/B2/booking-terms", "ada", NOON, rules=rules)
    assert answer.status_code == 201, answer.get_json()


def come(session: Session, booking_id: int) -> None:
    """The booked vehicle is inside."""
    session.execute(
        text("UPDATE booking SET status = 'checked_in' WHERE id = :id"), {"id": booking_id}
    )
    session.commit()


def extend(community: Community, booking_id: int, ends_at: datetime, **how: Any) -> TestResponse:
    """Ask for another end, an hour before the beginning unless told otherwise."""
    name, now = how.get("name", "ana"), how.get("now", NOON + HOUR)
    path = f"/bookings/{booking_id}"
    return send(community, "PATCH", path, name, now, ends_at=ends_at.isoformat())
