"""One hot hour, sixty-four clients, everything at once: nobody is promised what is another's."""

from collections.abc import Callable
from threading import Event, Lock
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic, db, driver
from ledger import proof
from ledger.settlement import settle_batch
from parking import lots
from sharing import booking_terms, offers, waitlist, watch
from tests.cast import NOON, Community, found_community
from tests.races.crowd import at_once
from tests.races.hot_hour import (
    CLIENTS,
    HOT,
    HOUR,
    HOUSEHOLDS,
    MINUTE,
    OPEN,
    Log,
    Somebody,
    garage,
)
from tests.races.hot_hour_proofs import PROOFS
from tests.sharing.offering import ZONE

# When, what is drawn from, and how often each client draws.
ACTS = (
    (NOON, "book book book wait change cancel window permit", 3),
    (HOT - 15 * MINUTE, "book wait change cancel window permit enter enter enter walk_in", 3),
    (HOT + 20 * MINUTE, "book wait change cancel window enter enter leave walk_in walk_in", 3),
    (HOT + 70 * MINUTE, "change cancel window permit enter leave stranger_leaves walk_in", 3),
    (HOT + 140 * MINUTE, "window permit enter leave walk_in stranger_leaves", 3),
)


DOINGS = (
    *("book", "cancel", "change", "wait", "entry", "exit"),
    *("offer", "edit", "withdraw", "permit", "end permit"),
)

Call = Callable[[FlaskClient], None]


def sweeping(app: Flask, log: Log, over: Event, *, alone: bool) -> Call:
    """A worker that sweeps until the act is over; `alone`: it also moves on what is offered."""

    def step(fn: Callable[..., Any], *args: Any) -> Any:
        try:
            return atomic(fn, *args)
        except Exception as error:
            with log.lock:
                log.bad.append((fn.__name__, args, repr(error)))

    def sweep(_client: FlaskClient) -> None:
        with app.app_context():
            while True:
                now = clock.now()
                for at_once in watch.AT_ONCE:
                    step(at_once, now)
                for then, row_id in step(watch.due, now) or ():
                    step(then, row_id, now, ZONE)
                step(waitlist.sweep, now, ZONE)
                if alone:
                    step(offers.refresh_all, now, ZONE)
                if over.wait(0.2):
                    return

    return sweep


class Act:
    """Sixty-four scripts, over when the last of them is."""

    def __init__(self, scripts: list[Call]) -> None:
        self.scripts, self.left, self.lock, self.over = scripts, len(scripts), Lock(), Event()

    def calls(self) -> list[Call]:
        """The scripts, counted as they end."""
        return [self._counted(script) for script in self.scripts]

    def _counted(self, script: Call) -> Call:
        def call(client: FlaskClient) -> None:
            try:
                script(client)
            finally:
                with self.lock:
                    self.left -= 1
                    if not self.left:
                        self.over.set()

        return call


def play(app: Flask, community: Community, log: Log) -> None:
    """Act by act, the clock held in each, while two workers sweep."""
    crowd = [Somebody(n, community, log) for n in range(CLIENTS)]
    for now, doings, steps in ACTS:
        with clock.at(now):
            desk = community.as_person("olga")
            homes = [community.as_person(f"crowd{n}") for n in range(HOUSEHOLDS)]
            for one in crowd:
                one.now, one.desk, one.headers = now, desk, homes[one.number % HOUSEHOLDS]
            act = Act([one.script(doings, steps) for one in crowd])
            sweeps = [sweeping(app, log, act.over, alone=alone) for alone in (True, False)]
            at_once(app, [*act.calls(), *sweeps])


def test_one_hot_hour(app: Flask, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every client has a connection, as if there were many servers."""
    community = found_community(app, spaces=1)

    def prepared(session: Session) -> None:
        garage(session)
        lot = lots.lot_by_code(session, "B2")
        booking_terms.add_terms(session, lot, {"household_open": OPEN}, NOON - HOUR)

    atomic(prepared)
    with clock.at(NOON):
        for n in range(0, HOUSEHOLDS, 2):
            answer = community.client.post(
                "/api/v1/balance/top-ups",
                json={"username": f"crowd{n}", "amount_fen": 100_000},
                headers=community.as_person("olga") | {"Idempotency-Key": f"t{n}"},
            )
            assert answer.status_code == 201
    monkeypatch.setattr(db.engine.pool, "_max_overflow", CLIENTS)
    log = Log()
    play(app, community, log)
    broken = {}
    with driver(session).cursor() as cursor:
        for rule, sql in PROOFS.items():
            if found := cursor.execute(
                sql, {"household_open": OPEN, "now": ACTS[-1][0]}
            ).fetchall():
                broken[rule] = found[:5]
    session.rollback()
    assert log.bad == []
    assert broken == {}
    assert log.together() >= CLIENTS // 2
    assert {what for what in DOINGS if not log.done(what)} == set()
    while atomic(settle_batch, 500):
        pass
    verdict = atomic(proof.verify)
    assert verdict.ok, verdict
