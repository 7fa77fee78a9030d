"""Two transactions that meet: the second begins while the first has written but not committed."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, TypeVar

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from core.app import settings
from core.db import db, driver
from devices.events import Event
from devices.models import Device
from parking import access
from parking.plates import Plate
from sharing import granting
from sharing import offering as sharing
from tests.cast import NOON, Community
from tests.races.crowd import PATIENCE_SECONDS
from tests.races.test_gate_races import Said
from tests.sharing.offering import ZONE, own, share

T = TypeVar("T")

SOMEBODY_WAITS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
LOOKS = 100_000


def meanwhile(
    app: Flask, first: Callable[[Session], object], second: Callable[[FlaskClient], T]
) -> T:
    """What `second` answers when it comes between the writing and the commit of `first`.

    It is waited for until it is done or waits for a lock of the first, whichever it takes.
    """
    session = db.session()
    with ThreadPoolExecutor(1) as thread:
        try:
            first(session)
            coming = thread.submit(second, app.test_client())
            _until_it_waits(coming)
            session.commit()
        except BaseException:
            session.rollback()
            raise
        return coming.result(PATIENCE_SECONDS)


def _until_it_waits(coming: "Future[Any]") -> None:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for _ in range(LOOKS):
            if coming.done() or connection.execute(text(SOMEBODY_WAITS)).scalar_one():
                return
    raise AssertionError("neither done nor waiting")


def comes(device: str, plate: str, at: datetime) -> Callable[[Session], object]:
    """The gate decides about a plate, as the first of two."""
    event = Event(f"first-{plate}", "gate.request", at, at, {"plate": plate}, b"{}")
    digest = select(Device.token_digest).where(Device.code == device)

    def come(session: Session) -> object:
        known = session.scalars(digest).one()
        seen = Plate(plate, "blue")
        return access.answer(
            driver(session), event, token_digest=known, plate=seen, zone=settings().zone
        )

    return come


def permitting(*plates: str, since: datetime = NOON, **more: Any) -> Callable[[Session], object]:
    """A permit for plates, from now on unless told otherwise."""

    def granted(session: Session) -> object:
        with clock.at(NOON):
            return granting.grant_permit(
                session,
                lot="B2",
                kind="monthly",
                plates=[Plate(plate, "blue") for plate in plates],
                starts_at=since,
                ends_at=NOON + timedelta(days=30),
                **more,
            )

    return granted


def asking(
    headers: dict[str, str], method: str, path: str, **body: Any
) -> Callable[[FlaskClient], TestResponse]:
    """A request of somebody."""
    return lambda client: client.open(
        f"/api/v1/{path}", method=method, json=body or None, headers=headers
    )


def a_shared_space(community: Community) -> Callable[[Session], None]:
    """Ana shares P-1; a call that withdraws it."""
    own(community, "P-1")
    window, who = share(community)[1]["id"], sharing.Offerer(1, community.households["ana"])
    return lambda session: sharing.withdraw(session, "P-1", window, who, NOON, ZONE)


def reason(said: Said) -> str:
    """What the gate says."""
    assert said[0] == 200, said
    return str(said[1]["decision"]["reason"])
