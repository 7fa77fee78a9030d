"""What two do at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from identity.models import ADMIN, AuthSession, Person
from tests.identity.neighbours import headers, hire, move_in, signed_in


def at_once(*acts: Callable[[], int]) -> list[int]:
    """Let all act at one moment, each in a thread; the statuses they got, sorted."""
    start = Barrier(len(acts))

    def run(act: Callable[[], int]) -> int:
        start.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return sorted(pool.map(run, acts))


def test_a_refresh_token_used_by_eight_at_once_works_once_and_ends_the_session(
    app: Flask, session: Session
) -> None:
    move_in(session, "alice")
    token = {"refresh_token": signed_in(session, "alice").refresh_token}

    def use() -> int:
        return app.test_client().post("/api/v1/auth/refresh", json=token).status_code

    assert at_once(*[use] * 8) == [200] + [401] * 7
    alive = select(func.count()).where(AuthSession.revoked_at.is_(None))
    assert session.scalar(alive) == 0


def test_two_admins_who_dismiss_each_other_leave_one(app: Flask, session: Session) -> None:
    first, second = hire(session, "anna", ADMIN), hire(session, "boris", ADMIN)

    def dismissal(by: Person, whom: Person) -> Callable[[], int]:
        path, theirs = f"/api/v1/people/{whom.id}", headers(session, by.username)
        dismissed = {"active": False}

        def dismiss() -> int:
            client = app.test_client()
            return client.patch(path, json=dismissed, headers=theirs).status_code

        return dismiss

    acts = dismissal(first, second), dismissal(second, first)
    session.rollback()
    done, refused = at_once(*acts)
    assert done == 200
    assert refused in {401, 409}  # signed out before it was heard, or the last one left
    active = select(func.count()).where(Person.role == ADMIN, Person.active)
    assert session.scalar(active) == 1
