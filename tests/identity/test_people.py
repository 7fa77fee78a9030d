"""Households and people: who administrates them, and what may never be recorded."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.errors import Problem
from identity import people
from identity.models import ADMIN, Household, Person
from tests.identity.neighbours import (
    PHONE,
    headers,
    hire,
    hire_olga,
    hire_root,
    move_in,
    password_of,
    signed_in,
)

NEW = {"username": "bob", "password": password_of("bob"), "role": "operator"}


@pytest.fixture
def as_root(session: Session) -> dict[str, str]:
    """Headers of a request by Root."""
    hire_root(session)
    return headers(session, "root")


def test_an_admin_brings_in_a_household_and_its_resident(
    client: FlaskClient, session: Session, as_root: dict[str, str]
) -> None:
    home = client.post("/api/v1/households", json={"code": "3-1-502"}, headers=as_root)
    assert home.status_code == 201
    assert home.get_json() | {"id": 0} == {"id": 0, "code": "3-1-502", "name": "3-1-502"}
    bob = NEW | {"username": "Bob", "role": "resident", "household": "3-1-502", "name": "鲍勃"}
    created = client.post("/api/v1/people", json=bob, headers=as_root)
    assert created.status_code == 201
    assert created.get_json() | {"id": 0} == {
        "id": 0,
        "username": "bob",
        "name": "鲍勃",
        "phone": None,
        "role": "resident",
        "household": "3-1-502",
        "active": True,
    }
    assert signed_in(session, "bob").access_token


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"username": "b"}, 422, "username"),
        ({"username": "bob smith"}, 422, "username"),
        ({"username": "bob'; DROP TABLE person; --"}, 422, "username"),
        ({"username": "鲍勃勃"}, 422, "username"),
        ({"username": "bob\n"}, 422, "username"),
        ({"username": "b" * 65}, 422, "username"),
        ({"password": "short"}, 422, "password"),
        ({"password": "nul\x00 inside"}, 422, "password"),
        ({"role": "king"}, 422, "role"),
        ({"role": None}, 422, "role"),
        ({"role": "resident"}, 422, "household"),
        ({"household": "3-1-502"}, 422, "household"),
        ({"role": "resident", "household": "9-9-999"}, 422, "household"),
        ({"phone": "12812345678"}, 422, "phone"),
        ({"phone": "1381234567"}, 422, "phone"),
        ({"phone": "13812345678\n"}, 422, "phone"),
        ({"phone": "１３８１２３４５６７８"}, 422, "phone"),
        ({"phone": 13812345678}, 422, "phone"),
        ({"name": ""}, 422, "name"),
        ({"name": "n" * 65}, 422, "name"),
        ({"active": False}, 422, "active"),
        ({"id": 1}, 422, "id"),
        ({"username": "alice"}, 409, None),
        ({"username": "ALICE"}, 409, None),
    ],
)
def test_a_person_who_breaks_a_rule_is_not_created(
    client: FlaskClient,
    session: Session,
    as_root: dict[str, str],
    change: dict[str, Any],
    status: int,
    field: str | None,
) -> None:
    move_in(session, "alice", "3-1-502")
    answer = client.post("/api/v1/people", json=NEW | change, headers=as_root)
    problem = answer.get_json()
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert list(problem.get("errors") or []) == ([field] if field else [])
    assert set(session.scalars(select(Person.username))) == {"alice", "root"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"code": "3-1-502"}, 409),
        ({"code": ""}, 422),
        ({"code": "c" * 33}, 422),
        ({"name": "no code"}, 422),
        ({"code": "1", "id": 5}, 422),
    ],
)
def test_a_household_that_breaks_a_rule_is_not_created(
    client: FlaskClient,
    session: Session,
    as_root: dict[str, str],
    body: dict[str, Any],
    status: int,
) -> None:
    move_in(session, "alice", "3-1-502")
    answer = client.post("/api/v1/households", json=body, headers=as_root)
    assert answer.status_code == status
    assert list(session.scalars(select(Household.code))) == ["3-1-502"]


def test_admins_see_phones_and_operators_see_them_masked(
    client: FlaskClient, session: Session, as_root: dict[str, str]
) -> None:
    move_in(session, "alice")
    hire_olga(session)
    of_alice = "/api/v1/people?role=resident"
    assert client.get(of_alice, headers=as_root).get_json()[0]["phone"] == PHONE
    to_olga = client.get(of_alice, headers=headers(session, "olga")).get_json()
    assert [person["phone"] for person in to_olga] == ["138****5678"]
    assert to_olga[0]["household"] == "3-1-502"


def test_people_are_listed_by_household_and_page(
    client: FlaskClient, session: Session, as_root: dict[str, str]
) -> None:
    for i in range(3):
        move_in(session, f"resident{i}", f"1-10{i}")
    one = client.get("/api/v1/people?household=1-101", headers=as_root)
    assert [person["username"] for person in one.get_json()] == ["resident1"]
    page = client.get("/api/v1/people?page=2&page_size=3", headers=as_root)
    assert [person["username"] for person in page.get_json()] == ["root"]
    assert '"total": 4' in page.headers["X-Pagination"]
    homes = client.get("/api/v1/households?page_size=2", headers=as_root)
    assert [home["code"] for home in homes.get_json()] == ["1-100", "1-101"]


@pytest.mark.parametrize("query", ["role=king", "page=0", "page_size=100000", f"page={10**30}"])
def test_a_list_refuses_what_it_does_not_know(
    client: FlaskClient, as_root: dict[str, str], query: str
) -> None:
    assert client.get(f"/api/v1/people?{query}", headers=as_root).status_code == 422


def test_a_patch_changes_what_it_names_and_nothing_else(
    client: FlaskClient, session: Session, as_root: dict[str, str]
) -> None:
    alice = move_in(session, "alice")
    theirs = headers(session, "alice")
    path = f"/api/v1/people/{alice.id}"
    changed = client.patch(path, json={"name": "爱丽", "phone": None}, headers=as_root)
    assert changed.status_code == 200
    assert changed.get_json() == client.get("/api/v1/me", headers=theirs).get_json()
    assert (changed.get_json()["name"], changed.get_json()["phone"]) == ("爱丽", None)
    assert client.patch(path, json={}, headers=as_root).get_json() == changed.get_json()


def test_whoever_is_deactivated_is_out_at_once_and_stays_out(
    client: FlaskClient, session: Session, as_root: dict[str, str]
) -> None:
    alice = move_in(session, "alice")
    pair = signed_in(session, "alice")
    theirs = {"Authorization": f"Bearer {pair.access_token}"}
    path = f"/api/v1/people/{alice.id}"
    assert client.patch(path, json={"active": False}, headers=as_root).status_code == 200
    assert client.get("/api/v1/me", headers=theirs).status_code == 401
    refreshing = {"refresh_token": pair.refresh_token}
    assert client.post("/api/v1/auth/refresh", json=refreshing).status_code == 401
    credentials = {"username": "alice", "password": password_of("alice")}
    assert client.post("/api/v1/auth/token", json=credentials).status_code == 401
    assert client.patch(path, json={"active": True}, headers=as_root).status_code == 200
    assert client.get("/api/v1/me", headers=theirs).status_code == 401
    assert signed_in(session, "alice")


def test_a_password_set_by_an_admin_signs_the_person_out(
    client: FlaskClient, session: Session, as_root: dict[str, str]
) -> None:
    alice = move_in(session, "alice")
    theirs = headers(session, "alice")
    path = f"/api/v1/people/{alice.id}"
    assert client.patch(path, json={"password": "short"}, headers=as_root).status_code == 422
    assert client.get("/api/v1/me", headers=theirs).status_code == 200
    new = {"password": "forgotten and set anew"}
    assert client.patch(path, json=new, headers=as_root).status_code == 200
    assert client.get("/api/v1/me", headers=theirs).status_code == 401


def test_a_role_counts_from_the_next_request_on(
    client: FlaskClient, session: Session, as_root: dict[str, str]
) -> None:
    olga = hire_olga(session)
    theirs = headers(session, "olga")
    assert client.get("/api/v1/people", headers=theirs).status_code == 200
    path = f"/api/v1/people/{olga.id}"
    assert client.patch(path, json={"role": "finance"}, headers=as_root).status_code == 200
    assert client.get("/api/v1/people", headers=theirs).status_code == 403


def test_a_resident_who_is_hired_leaves_the_household(
    client: FlaskClient, session: Session, as_root: dict[str, str]
) -> None:
    path = f"/api/v1/people/{move_in(session, 'alice').id}"
    assert client.patch(path, json={"role": "operator"}, headers=as_root).status_code == 422
    hired = {"role": "operator", "household": None}
    assert client.patch(path, json=hired, headers=as_root).get_json()["household"] is None
    moved_back = {"role": "resident", "household": "3-1-502"}
    assert client.patch(path, json=moved_back, headers=as_root).status_code == 200


@pytest.mark.parametrize("change", [{"role": "finance"}, {"active": False}])
def test_the_last_active_admin_stays(
    client: FlaskClient, session: Session, as_root: dict[str, str], change: dict[str, Any]
) -> None:
    root = session.scalars(select(Person).where(Person.username == "root")).one()
    retired = hire(session, "retired", ADMIN)
    retired.active = False
    session.commit()
    path = f"/api/v1/people/{root.id}"
    answer = client.patch(path, json=change, headers=as_root)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "last-admin")
    hire(session, "ruth", ADMIN)
    assert client.patch(path, json=change, headers=as_root).status_code == 200


def test_nobody_is_changed_by_a_wrong_id(client: FlaskClient, as_root: dict[str, str]) -> None:
    for person_id in (0, 999_999, 2**63 - 1, 2**63, 10**30):
        path = f"/api/v1/people/{person_id}"
        assert client.patch(path, json={"name": "x"}, headers=as_root).status_code == 404


@pytest.mark.parametrize(
    ("column", "value", "constraint"),
    [
        ("username", "'Upper'", "ck_person_username"),
        ("username", "'x'", "ck_person_username"),
        ("username", "'with space'", "ck_person_username"),
        ("username", "E'line\\n'", "ck_person_username"),
        ("username", "'root'", "uq_person_username"),
        ("phone", "'12345678901'", "ck_person_phone"),
        ("phone", "'1381234567'", "ck_person_phone"),
        ("role", "'king', household_id = NULL", "ck_person_role"),
        ("role", "'finance'", "ck_person_residents_have_a_household"),
        ("household_id", "NULL", "ck_person_residents_have_a_household"),
        ("household_id", "0", "fk_person_household_id_household"),
    ],
)
def test_the_database_itself_refuses(
    app: Flask, session: Session, column: str, value: str, constraint: str
) -> None:
    move_in(session, "alice")
    hire_root(session)
    with pytest.raises(IntegrityError) as refused:
        session.execute(text(f"UPDATE person SET {column} = {value} WHERE username = 'alice'"))
    assert refused.value.orig.diag.constraint_name == constraint  # type: ignore[union-attr]  # psycopg's


def test_builders_refuse_what_the_schemas_refuse(session: Session) -> None:
    for values in (("b", "long enough", "operator"), ("bob", "short", "operator")):
        with pytest.raises(Problem):
            people.create_person(session, *values)
    with pytest.raises(Problem, match="rule"):
        people.create_person(session, "bob", "long enough", "king")
