"""Hostile requests: each gets a clear answer, and the whole database is as it was."""

import json
from collections.abc import Iterator
from typing import Any

from tests.faults.attacker import BIG, LISTS, NO_INSTANT, PATHS, ROUTES, SQL, Attacker, Route, put


def leaves(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value inside a body with its path."""
    items = body.items() if isinstance(body, dict) else enumerate(body)
    for key, value in items:
        if isinstance(value, (dict, list)):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def is_instant(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("2026-")


UNSTORABLE = ["a\x00b", "\ud800", "a\udfffb"]
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
                assert answer.status_code in (200, 201, 204, 404, 409, 422), (route.path, path)
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
        answer = attacker.send(caller, "GET", f"{path}?page={'9' * 30}", None, None)
        if "page" in names and "page" not in answer.get_json().get("errors", {}):
            wrong.append((path, "page", answer.get_json()))
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
