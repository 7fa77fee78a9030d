"""Hostile devices and tokens: each gets a clear answer, and the whole database is as it was."""

import json
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from devices import registry
from tests.cast import NOON
from tests.faults.attacker import GATE, NO_INSTANT, ROUTES, Attacker, Route, put


def test_events_at_times_that_cannot_be(attacker: Attacker) -> None:
    before = attacker.fingerprint()
    implausible = [NOON - timedelta(days=401), NOON + timedelta(days=2)]
    for kind in ROUTES[:2]:
        for when in [*map(str, NO_INSTANT), *(at.isoformat() for at in implausible)]:
            answer = attacker.post(kind, kind.body | {"occurred_at": when})
            assert (answer.status_code, list(answer.get_json()["errors"])) == (422, ["occurred_at"])
        for unknown in ("gate.open", "GATE.REQUEST", "", "locker.", "gate.request "):
            answer = attacker.post(kind, kind.body | {"type": unknown})
            assert (answer.status_code, list(answer.get_json()["errors"])) == (422, ["type"])
    assert attacker.fingerprint() == before


def test_an_event_id_used_again_for_something_else(attacker: Attacker) -> None:
    gate, beat = ROUTES[:2]
    assert attacker.post(gate, gate.body).status_code == 200
    before = attacker.fingerprint()
    for other in (
        put(gate.body, ("data", "plate"), "川C44444"),
        put(gate.body, ("data", "plate_color"), "yellow"),
        put(gate.body, ("data", "confidence"), 0.1),
        beat.body,
    ):
        answer = attacker.post(gate, other)
        assert (answer.status_code, answer.get_json()["code"]) == (409, "event-id-reused")
    assert attacker.fingerprint() == before


def test_a_batch_is_judged_event_by_event(attacker: Attacker, session: Session) -> None:
    batch = Route("entry", "POST", "/api/v1/device-events/batch", {})
    before = attacker.fingerprint()
    no_events: list[Any] = [[], [GATE] * 501, {}, "x", None]
    for events in no_events:
        answer = attacker.post(batch, {"events": events})
        assert (answer.status_code, list(answer.get_json()["errors"])) == (422, ["events"])
    assert attacker.fingerprint() == before

    deep: Any = []
    for _ in range(400):
        deep = [deep]
    good = [GATE | {"event_id": f"good-{n}"} for n in range(2)]
    bad: list[Any] = [
        None,
        7,
        "x",
        [],
        {},
        GATE | {"type": "x"},
        GATE | {"occurred_at": "1970-01-01T00:00:00Z"},
        GATE | {"data": {"plate": "\x00"}},
        GATE | {"data": {"plate": "x"}},
        GATE | {"event_id": "\ud800"},
        GATE | {"type": "device.heartbeat", "data": {"v": float("nan")}},
        GATE | {"event_id": "deep", "data": {"plate": deep}},
        good[0] | {"data": {"plate": "川C44444"}},
    ]
    answer = attacker.post(batch, {"events": [good[0], *bad, good[1]]})
    assert answer.status_code == 200
    first, *refused, last = answer.get_json()["results"]
    assert [first["event_id"], last["event_id"]] == ["good-0", "good-1"]
    assert {first["duplicate"], last["duplicate"]} == {False}
    assert all(400 <= one["problem"]["status"] < 500 for one in refused)
    assert len(refused) == len(bad)
    count = "SELECT count(*) FROM device_event WHERE event_key LIKE 'good-%'"
    assert session.scalar(text(count)) == 2


def test_tokens_that_are_wrong_old_or_somebody_elses(app: Flask, attacker: Attacker) -> None:
    community = attacker.community

    def a_dock(session: Session) -> str:
        return registry.register(session, code="dock", serial="dock", kind="dock").token

    def rotated(session: Session) -> str:
        return registry.rotate(session, "entry", NOON).token

    old, new, dock = community.tokens["entry"], atomic(rotated), atomic(a_dock)
    person = community.signed_in["olga"][1]
    before = attacker.fingerprint()
    after_grace = NOON + registry.GRACE + timedelta(seconds=1)
    at = {"occurred_at": after_grace.isoformat()}
    cases = {
        "": 401,
        "Bearer": 401,
        "Bearer ": 401,
        "Bearer nobodys": 401,
        f"Bearer {old}": 401,
        f"Bearer {new[:-1]}": 401,
        f"Basic {new}": 401,
        f"Bearer {new} {new}": 401,
        f"Bearer {person}": 401,
        f"Bearer {dock}": 403,
        "Bearer " + "\x80\xff" * 9: 401,
        "Bearer '; DROP TABLE stay; --": 401,
    }
    for header, status in cases.items():
        for body in (json.dumps(GATE | at), "[]", "{"):
            with clock.at(after_grace):
                answer = community.client.post(
                    "/api/v1/device-events",
                    data=body,
                    content_type="application/json",
                    headers={"Authorization": header} if header else {},
                )
            wanted = {status} if status == 401 or body[0:2] == '{"' else {400, 422}
            assert answer.status_code in wanted, header
            assert answer.mimetype == "application/problem+json"
        if status == 401:
            assert answer.headers["WWW-Authenticate"]
    for token in (new, dock, old, "x.y.z"):
        answer = community.client.get("/api/v1/stays", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
    assert attacker.fingerprint() == before

    with clock.at(NOON + registry.GRACE - timedelta(seconds=1)):
        answer = community.client.post(
            "/api/v1/device-events",
            json=GATE | {"occurred_at": clock.now().isoformat()},
            headers={"Authorization": f"Bearer {old}"},
        )
    assert answer.status_code == 200, "the old token still works for a day"


def test_a_device_that_was_retired_is_nobody(attacker: Attacker, session: Session) -> None:
    session.execute(text("UPDATE device SET active = false WHERE code = 'entry'"))
    session.commit()
    before = attacker.fingerprint()
    assert attacker.post(ROUTES[0], GATE).status_code == 401
    path = f"/d/{attacker.community.tokens['entry']}/devicemanagement/php/plateresult.php"
    answer = attacker.send("", "POST", path, b'{"heartbeat": {}}', "application/json")
    assert answer.status_code == 401
    assert attacker.fingerprint() == before
