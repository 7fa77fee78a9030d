"""Hostile requests: each gets a clear answer, and the whole database is as it was."""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from core.db import atomic
from devices import registry
from tests.cast import NOON, RULES, Community
from tests.identity.neighbours import forget_rate_limits

SQL = "x'); DROP TABLE stay CASCADE; --"
PLATE = "川C33333"
BIG = 2**63


@dataclass(frozen=True)
class Route:
    """A route that takes a body: who may call it, and a body it would take."""

    caller: str
    method: str
    path: str
    body: dict[str, Any]
    free: frozenset[str] = field(default=frozenset())
    """Fields that are anybody's words: SQL in them is text like any other."""


GATE = {
    "event_id": "hostile",
    "type": "gate.request",
    "occurred_at": NOON.isoformat(),
    "data": {"plate": PLATE, "plate_color": "blue", "confidence": 0.9, "replayed": False},
}
RULES_NOW = {name: getattr(RULES, name) for name in RULES.__slots__}
ROUTES = [
    Route("entry", "POST", "/api/v1/device-events", GATE, frozenset({"event_id"})),
    Route(
        "entry",
        "POST",
        "/api/v1/device-events",
        GATE | {"type": "device.heartbeat", "data": {"uptime": "9 d", "errors": [{"at": "x"}]}},
        frozenset({"event_id", "data"}),
    ),
    Route("", "POST", "/api/v1/auth/token", {"username": "nobody", "password": "x"}),
    Route("", "POST", "/api/v1/auth/refresh", {"refresh_token": "x"}),
    Route(
        "olga",
        "POST",
        "/api/v1/auth/password",
        {"old": "wrong", "new": "long enough, this"},
        frozenset({"old", "new"}),
    ),
    Route(
        "ada",
        "POST",
        "/api/v1/households",
        {"code": "9-1", "name": "n"},
        frozenset({"code", "name"}),
    ),
    Route(
        "ada",
        "POST",
        "/api/v1/people",
        {
            "username": "new",
            "password": "long enough, this",
            "role": "resident",
            "household": "1-101",
            "name": "n",
            "phone": "13800006620",
        },
        frozenset({"password", "name"}),
    ),
    Route(
        "ada",
        "PATCH",
        "/api/v1/people/3",
        {"name": "n", "phone": "13800006620", "role": "operator"},
        frozenset({"name"}),
    ),
    Route(
        "ada",
        "POST",
        "/api/v1/devices",
        {"id": "cam", "serial": "s", "kind": "camera", "lane": "entry", "display": "tts"},
        frozenset({"serial"}),
    ),
    Route(
        "olga", "POST", "/api/v1/exceptions/1/resolve", {"reason": "seen"}, frozenset({"reason"})
    ),
    Route(
        "ada",
        "POST",
        "/api/v1/lots",
        {"code": "B9", "name": "n", "kind": "car", "takes_walk_ins": True},
        frozenset({"name"}),
    ),
    Route("ada", "POST", "/api/v1/lots/B2/spaces", {"codes": ["B2-901"], "owner_household_id": 1}),
    Route(
        "ada",
        "POST",
        "/api/v1/lots/B2/lanes",
        {"code": "L9", "name": "n", "direction": "entry"},
        frozenset({"name"}),
    ),
    Route(
        "ada",
        "POST",
        "/api/v1/lots/B2/tariffs",
        {"valid_from": (NOON + timedelta(days=1)).isoformat(), "rules": RULES_NOW},
    ),
    Route(
        "olga",
        "POST",
        "/api/v1/vehicles",
        {"plate": "川C44444", "plate_color": "blue", "household_id": 1},
    ),
    Route(
        "olga",
        "POST",
        "/api/v1/permits",
        {
            "lot": "B2",
            "kind": "staff",
            "plate": "川C44444",
            "plate_color": "blue",
            "space": "B2-001",
            "starts_at": NOON.isoformat(),
            "ends_at": (NOON + timedelta(days=1)).isoformat(),
        },
    ),
    Route("olga", "PUT", "/api/v1/blocked-plates/川C44444", {"reason": "r"}, frozenset({"reason"})),
    Route("olga", "POST", "/api/v1/payments", {"stay_id": 1, "method": "cash"}),
    Route("olga", "POST", "/api/v1/payments", {"charge_id": 1, "method": "cash"}),
    Route("olga", "POST", "/api/v1/balance/top-ups", {"username": "ana", "amount_fen": 1}),
    Route(
        "fan",
        "POST",
        "/api/v1/ledger/split-rules",
        {
            "income": "parking",
            "ownership": "community",
            "shares": {"micro_fund": 1, "property": 1},
            "valid_from": "2026-12-01",
            "decided_by": "d",
        },
        frozenset({"decided_by"}),
    ),
]

LISTS = {
    "/api/v1/stays": ("olga", ("plate", "status", "page", "page_size")),
    "/api/v1/exceptions": ("olga", ("resolved", "page")),
    "/api/v1/vehicles": ("olga", ("page",)),
    "/api/v1/permits": ("olga", ("page",)),
    "/api/v1/blocked-plates": ("olga", ("page",)),
    "/api/v1/people": ("olga", ("role", "household", "page")),
    "/api/v1/households": ("olga", ("page",)),
    "/api/v1/charges": ("olga", ("stay_id", "page")),
    "/api/v1/payments": ("olga", ("stay_id", "page")),
    "/api/v1/balance": ("olga", ("username",)),
    "/api/v1/ledger/trial-balance": ("ava", ("as_of",)),
    "/api/v1/ledger/entries": ("ava", ("from", "to", "account", "party", "source", "page")),
    "/api/v1/ledger/split-rules": ("ava", ("page",)),
}

PATHS = [
    ("olga", "GET", "/api/v1/stays/{}"),
    ("ada", "PATCH", "/api/v1/people/{}"),
    ("olga", "POST", "/api/v1/exceptions/{}/resolve"),
    ("olga", "DELETE", "/api/v1/permits/{}"),
    ("olga", "DELETE", "/api/v1/blocked-plates/{}"),
    ("olga", "PUT", "/api/v1/blocked-plates/{}"),
    ("ada", "POST", "/api/v1/devices/{}/token"),
    ("ada", "GET", "/api/v1/lots/{}/tariffs"),
    ("ada", "POST", "/api/v1/lots/{}/lanes"),
    ("", "POST", "/d/{}/devicemanagement/php/plateresult.php"),
    ("", "POST", "/d/x/devicemanagement/php/{}.php"),
]


@dataclass
class Attacker:
    """Sends anything as anybody, and knows the state of the whole database."""

    community: Community
    session: Session
    numbers: Iterator[int] = field(default_factory=count)

    def send(
        self, caller: str, method: str, path: str, raw: bytes | None, content_type: str | None
    ) -> TestResponse:
        """One request at noon, with an Idempotency-Key of its own."""
        with clock.at(NOON):
            forget_rate_limits()
            headers = {"Idempotency-Key": f"hostile-{next(self.numbers)}"}
            if caller in self.community.tokens:
                headers |= self.community.as_device(caller)
            elif caller:
                headers |= self.community.as_person(caller)
            answer = self.community.client.open(
                path, method=method, data=raw, content_type=content_type, headers=headers
            )
        self.session.rollback()  # the context of the test outlives the request
        return answer

    def post(self, route: Route, body: Any) -> TestResponse:
        """A body, as JSON that keeps NaN, NULs and lone surrogates."""
        return self.send(
            route.caller, route.method, route.path, json.dumps(body).encode(), "application/json"
        )

    def fingerprint(self) -> dict[str, tuple[int, str]]:
        """Row count and checksum of every table."""
        tables = self.session.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        ).all()
        parts = [
            f"SELECT '{name}', count(*), md5(coalesce(string_agg(t::text, ';' ORDER BY t::text),"
            f" '')) FROM \"{name}\" t"
            for name in tables
        ]
        rows = self.session.execute(text(" UNION ALL ".join(parts))).all()
        self.session.rollback()
        return {row[0]: (row[1], row[2]) for row in rows}

    def sign_everybody_in(self) -> None:
        """So that no sign-in of the cast changes anything later."""
        with clock.at(NOON):
            for name in ("ana", "olga", "fan", "ava", "ada"):
                self.community.as_person(name)


@pytest.fixture
def attacker(community: Community, session: Session) -> Attacker:
    """A community with a stay that owes, an exception, and somebody who wishes it ill."""
    community.knock("entry", PLATE, NOON - timedelta(hours=2))
    community.knock("exit", PLATE, NOON - timedelta(hours=1))
    community.knock("exit", "川C99999", NOON - timedelta(hours=1))
    attacker = Attacker(community, session)
    attacker.sign_everybody_in()
    return attacker


def leaves(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value inside a body with its path."""
    items = body.items() if isinstance(body, dict) else enumerate(body)
    for key, value in items:
        if isinstance(value, (dict, list)):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def put(body: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    at: Any = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed


def is_instant(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("2026-")


UNSTORABLE = ["a\x00b", "\ud800", "a\udfffb"]
NO_INSTANT = ["2026-11-23T12:00:00", "1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "yesterday", 0]
NO_NUMBER = [BIG, -BIG - 1, 10**400, -1, "NaN", "x", [1], {}, float("nan"), float("inf")]


def hostile_values(route: Route, path: tuple[Any, ...], value: Any) -> list[Any]:
    """What a field must refuse; anybody's words refuse only what cannot be stored."""
    if isinstance(value, bool):
        return [*UNSTORABLE, "perhaps", 7, []]
    if isinstance(value, (int, float)):
        return [*UNSTORABLE, *NO_NUMBER]
    if path[0] == "data" and "data" in route.free:
        return [*UNSTORABLE, float("nan"), float("-inf")]
    if is_instant(value):
        return [*UNSTORABLE, SQL, *NO_INSTANT]
    refused: list[Any] = [*UNSTORABLE, "x" * 10_000, 5, ["x"], {"x": 1}]
    if path[0] in route.free:
        return refused
    return [*refused, SQL] if path[-1] == "plate" else [*refused, SQL, ""]


def names_the_field(said: dict[str, Any], path: tuple[Any, ...]) -> bool:
    roots = {name.split(".")[0] for name in said.get("errors", {})}
    return path[0] in roots


def test_no_field_of_any_route_takes_what_it_must_refuse(attacker: Attacker) -> None:
    before = attacker.fingerprint()
    wrong = []
    for route in ROUTES:
        for path, value in leaves(route.body):
            for hostile in hostile_values(route, path, value):
                answer = attacker.post(route, put(route.body, path, hostile))
                said = answer.get_json(silent=True) or {}
                clear = answer.status_code == 422 and names_the_field(said, path)
                unknown = answer.status_code in (401, 404) and hostile in (SQL, "")
                if not (clear or unknown) or answer.mimetype != "application/problem+json":
                    wrong.append((route.path, path, repr(hostile)[:30], answer.status_code, said))
        for extra in ("unknown", "x\x00", "\ud800", SQL):
            answer = attacker.post(route, route.body | {extra: 1})
            if answer.status_code != 422 or not answer.get_json().get("errors"):
                wrong.append((route.path, (extra,), "", answer.status_code, answer.get_json()))
    assert wrong == [], "\n".join(map(str, wrong))
    assert attacker.fingerprint() == before


def test_sql_is_text_where_text_is_free(attacker: Attacker) -> None:
    for route in ROUTES:
        for path, value in leaves(route.body):
            if path[0] in route.free and isinstance(value, str):
                before = attacker.fingerprint()
                answer = attacker.post(route, put(route.body, path, SQL))
                after = attacker.fingerprint()
                assert answer.status_code in (200, 201, 204, 409, 422), (route.path, path)
                assert before.keys() == after.keys()
                assert all(after[table][0] >= before[table][0] for table in before)


def nested(depth: int) -> bytes:
    return b'{"event_id": "deep", "data": ' + b"[" * depth + b"]" * depth + b"}"


def test_bodies_that_are_no_request(attacker: Attacker) -> None:
    before = attacker.fingerprint()
    as_json = "application/json"
    for route in ROUTES:
        good = json.dumps(route.body, ensure_ascii=False).encode()
        bodies = [
            (good[:-5], as_json, {400}),
            (b"", as_json, {200} if route.method == "PATCH" else {400, 422}),
            (b"\x00" + good, as_json, {400}),
            (good + good, as_json, {400}),
            ("车".encode("gbk"), as_json, {400}),
            (b'{"x": "' + "车库".encode("gbk") + b'"}', as_json, {400}),
            (b"\xff\xfe\xfd", as_json, {400}),
            (b"[]", as_json, {422}),
            (b"null", as_json, {400, 422}),
            (b'"text"', as_json, {422}),
            (b"NaN", as_json, {400, 422}),
            (nested(100_000), as_json, {400, 422}),
            (nested(900), as_json, {400, 422}),
            (b'{"event_id":' + b"9" * 5_000 + b"}", as_json, {400}),
            (good, "text/plain", {415}),
            (good, "application/x-www-form-urlencoded", {415}),
            (good, "multipart/form-data; boundary=x", {415}),
            (good, "application/xml", {415}),
            (good, None, {415}),
        ]
        for raw, content_type, statuses in bodies:
            answer = attacker.send(route.caller, route.method, route.path, raw, content_type)
            where = (route.path, raw[:30], content_type, answer.get_json())
            assert answer.status_code in statuses, where
            if answer.status_code != 200:
                assert answer.mimetype == "application/problem+json", where
    assert attacker.fingerprint() == before


def test_a_body_of_nine_megabytes(attacker: Attacker) -> None:
    before = attacker.fingerprint()
    body = b'{"event_id": "' + b"A" * 9_000_000 + b'"}'
    for route in (ROUTES[0], ROUTES[2], ROUTES[-1]):
        answer = attacker.send(route.caller, route.method, route.path, body, "application/json")
        assert (answer.status_code, answer.get_json()["status"]) == (413, 413)
        assert answer.mimetype == "application/problem+json"
    assert attacker.fingerprint() == before


QUERIES = ["%00", "a%00b", "%FF%FE", "%ED%A0%80", "9" * 30, "-1", "NaN", "1e9", "x" * 5_000]
QUERIES += ["%27%3B%20DROP%20TABLE%20stay%3B--", "1970-01-01", "2999-01-01", "[]", "%E5%B7%9D"]


def test_addresses_and_questions(attacker: Attacker) -> None:
    before = attacker.fingerprint()
    wrong: list[tuple[object, ...]] = []
    for path, (caller, names) in LISTS.items():
        asked = [f"{name}={value}" for name in names for value in QUERIES]
        for query in [*asked, "unknown=1", "%00=1", "page=1&page=%00", "page_size=" + "9" * 20]:
            answer = attacker.send(caller, "GET", f"{path}?{query}", None, None)
            if answer.status_code >= 500:
                wrong.append((path, query[:60], answer.status_code))
    for caller, method, path in PATHS:
        for value in [*QUERIES, str(BIG), "0", "..%2f..%2f", "%2e%2e", "%0d%0aX-Evil: 1"]:
            body = b"{}" if method in ("POST", "PUT", "PATCH") else None
            answer = attacker.send(caller, method, path.format(value), body, "application/json")
            if not 400 <= answer.status_code < 500:
                wrong.append((path, value[:60], answer.status_code))
            elif answer.mimetype != "application/problem+json":
                wrong.append((path, value[:60], answer.mimetype))
    assert wrong == [], "\n".join(map(str, wrong))
    assert attacker.fingerprint() == before


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
