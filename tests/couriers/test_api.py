"""The routes of couriers, their companies and contracts, as people use them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from core.db import atomic, driver, send
from couriers import accounts, contracts, couriers
from identity import people
from identity.models import COURIER
from tests.cast import NOON, PASSWORD, Community, found_community
from tests.couriers.depot import ask, charge, deposit_fee

Ask = Callable[..., TestResponse]
YTO = {"code": "yto", "name": "圆通速递", "credit_fen": 500}
RENT = {
    "company": "yto",
    "kind": "rent",
    "annual_fen": 1_200_000,
    "starts_on": "2026-10-01",
    "decided_by": "业主大会",
}


@pytest.fixture
def community(app: Flask) -> Iterator[Community]:
    """The cast at noon, and Cai and Dan, who are couriers."""
    with clock.at(NOON):
        community = found_community(app)
        for name in ("cai", "dan"):
            atomic(people.create_person, name, PASSWORD, COURIER)
        yield community


@pytest.fixture
def call(community: Community) -> Ask:
    """A request as somebody: `call("ada", "POST", "/couriers", {...})`."""
    sent = iter(range(10**6))

    def call(name: str, method: str, path: str, body: Any = None, **query: Any) -> TestResponse:
        headers = community.as_person(name) | {"Idempotency-Key": f"key-{next(sent)}"}
        return community.client.open(
            f"/api/v1{path}", method=method, json=body, query_string=query, headers=headers
        )

    return call


def test_a_company_from_its_first_day_to_its_statement(session: Session, call: Ask) -> None:
    made = call("ada", "POST", "/courier-companies", YTO)
    assert made.status_code == 201
    assert made.get_json() == {
        "code": "yto",
        "name": "圆通速递",
        "party": "company:yto",
        "credit_fen": 500,
        "active": True,
        "balance_fen": 0,
        "owed_fen": 0,
    }
    assert call("ada", "POST", "/courier-companies", YTO).get_json()["code"] == "company-exists"
    rate = call("fan", "POST", "/courier-companies/yto/rates", {"size": "S", "fee_fen": 25})
    assert (rate.status_code, rate.get_json()["valid_from"]) == (201, "2026-11-23")
    call("fan", "POST", "/deposit-rates", {"size": "M", "fee_fen": 30, "valid_from": "2026-12-01"})
    shown = call("olga", "GET", "/courier-companies/yto/rates").get_json()
    assert [(row["company"], row["size"], row["fee_fen"]) for row in shown] == [
        (None, "M", 30),
        ("yto", "S", 25),
    ]
    assert [row["size"] for row in call("ava", "GET", "/deposit-rates").get_json()] == ["M"]
    taken = call("olga", "POST", "/courier-companies/yto/top-ups", {"amount_fen": 1000})
    assert (taken.status_code, taken.get_json()["balance_fen"]) == (201, 1000)
    charge(session, deposit_fee(900, 25, "company:yto"), deposit_fee(901, 25, "company:yto"))
    [[number]] = ask(session, "SELECT min(id) FROM charge")
    cash = call("olga", "POST", "/payments", {"charge_id": number, "method": "cash"})
    assert (cash.status_code, cash.get_json()["company"]) == (201, "company:yto")
    mine = call("ana", "POST", "/payments", {"charge_id": number, "method": "balance"})
    assert mine.status_code == 404
    assert atomic(accounts.collect) == 1
    changed = call("ada", "PATCH", "/courier-companies/yto", {"credit_fen": 0, "active": False})
    assert (changed.get_json()["credit_fen"], changed.get_json()["active"]) == (0, False)
    [listed] = call("ava", "GET", "/courier-companies").get_json()
    assert (listed["balance_fen"], listed["owed_fen"]) == (975, 0)
    said = call("fan", "GET", "/courier-companies/yto/statements/2026-11").get_json()
    assert (said["charged_fen"], said["paid_in_cash_fen"], said["paid_from_balance_fen"]) == (
        50,
        25,
        25,
    )
    assert (said["top_ups_fen"], said["closing_balance_fen"]) == (1000, 975)
    charged = call("fan", "GET", "/charges").get_json()
    assert {row["company"] for row in charged} == {"company:yto"}
    assert call("ana", "GET", "/charges").get_json() == []


def test_a_top_up_sent_twice_is_one(community: Community, call: Ask) -> None:
    call("ada", "POST", "/courier-companies", YTO)
    headers = community.as_person("olga") | {"Idempotency-Key": "same"}
    path, body = "/api/v1/courier-companies/yto/top-ups", {"amount_fen": 70}
    answers = [community.client.post(path, json=body, headers=headers) for _ in range(2)]
    assert [answer.get_json()["balance_fen"] for answer in answers] == [70, 70]
    assert call("ada", "GET", "/courier-companies").get_json()[0]["balance_fen"] == 70
    assert call("olga", "POST", "/courier-companies/sto/top-ups", body).status_code == 404


def test_couriers_are_registered_and_shown_masked(session: Session, call: Ask) -> None:
    call("ada", "POST", "/courier-companies", YTO)
    new = {"code": "P80417", "name": "蔡", "phone": "13800001234", "company": "yto"}
    made = call("olga", "POST", "/couriers", new)
    assert made.status_code == 201
    assert made.get_json()["phone"] == "138****1234"
    assert call("olga", "POST", "/couriers", new).get_json()["code"] == "courier-exists"
    for _ in range(2):
        send(driver(session), [couriers.seen("K7")])
        session.commit()
    [stranger] = call("olga", "GET", "/couriers", known=False).get_json()
    assert (stranger["code"], stranger["company"], stranger["username"]) == ("K7", None, None)
    path = f"/couriers/{stranger['id']}"
    known = call("ada", "PATCH", path, {"company": "yto", "username": "Cai", "phone": None})
    assert (known.get_json()["company"], known.get_json()["username"]) == ("yto", "cai")
    found = call("ada", "GET", "/couriers", company="yto").get_json()
    assert [(row["code"], row["phone"]) for row in found] == [
        ("K7", None),
        ("P80417", "13800001234"),
    ]
    other = f"/couriers/{made.get_json()['id']}"
    assert call("ada", "PATCH", other, {"username": "cai"}).get_json()["code"] == "person-taken"
    left = call("ada", "PATCH", path, {"company": None, "username": None, "active": False})
    assert (left.get_json()["company"], left.get_json()["active"]) == (None, False)
    for wrong in ({"company": "sto"}, {"username": "ana"}, {"username": "nobody"}, {"phone": "1"}):
        assert call("ada", "PATCH", other, wrong).status_code == 422, wrong
    assert call("ada", "PATCH", "/couriers/4711", {}).status_code == 404


def test_a_courier_reads_the_own_companys_statement_alone(session: Session, call: Ask) -> None:
    for code in ("yto", "sto"):
        call("ada", "POST", "/courier-companies", YTO | {"code": code})
    courier = call("ada", "POST", "/couriers", {"code": "C", "company": "yto", "username": "cai"})
    path = "/courier-companies/yto/statements/2026-11"
    assert call("cai", "GET", path).status_code == 200
    assert call("cai", "GET", path.replace("yto", "sto")).status_code == 404
    assert call("dan", "GET", path).status_code == 404
    assert call("cai", "POST", path, {"csv": "size,deposits,fees_fen"}).status_code == 403
    call("ada", "PATCH", f"/couriers/{courier.get_json()['id']}", {"active": False})
    assert call("cai", "GET", path).status_code == 404


def test_a_courier_reads_nothing_that_staff_reads(call: Ask) -> None:
    """A courier has no household, and is no staff for that."""
    for path in (
        "/stays", "/bookings", "/charges", "/payments", "/balance", "/waitlist", "/chargings",
        "/vehicles", "/ebikes", "/permits", "/spaces", "/notices", "/people", "/households",
        "/couriers", "/courier-companies", "/site-contracts", "/ledger/entries",
    ):  # fmt: skip
        assert call("cai", "GET", path).status_code == 403, path
    assert call("cai", "GET", "/me").get_json()["role"] == "courier"


def test_their_statement_is_imported(call: Ask) -> None:
    call("ada", "POST", "/courier-companies", YTO)
    path = "/courier-companies/yto/statements/2026-11"
    row = {"size": "S", "deposits": 2, "fees_fen": 50}
    first = call("fan", "POST", path, {"rows": [row]})
    assert first.status_code == 201
    assert first.get_json()["sizes"][0] == row | {"counted": 0, "charged_fen": 0}
    assert call("fan", "POST", path, {"csv": "size,deposits,fees_fen"}).get_json()["agrees"]
    theirs = call("ava", "GET", path).get_json()["theirs"]
    assert (theirs["agrees"], len(theirs["sizes"])) == (True, 3)
    wrong: Any
    for wrong in (
        {},
        {"rows": []},
        {"rows": [row, row]},
        {"rows": [row | {"size": "XL"}]},
        {"rows": [row | {"fees_fen": 1.5}]},
        {"rows": [row], "csv": "size,deposits,fees_fen"},
        {"csv": "S,1,25"},
    ):
        assert call("fan", "POST", path, wrong).status_code == 422, wrong
    for month in ("2026-13", "2026-1", "november", "1999-01"):
        assert call("fan", "GET", f"/courier-companies/yto/statements/{month}").status_code == 404


def test_site_contracts_are_signed_accrued_and_ended(call: Ask) -> None:
    call("ada", "POST", "/courier-companies", YTO)
    made = call("fan", "POST", "/site-contracts", RENT)
    assert made.status_code == 201
    assert made.get_json().items() >= (RENT | {"cabinet": None, "ends_on": None}).items()
    wrong: dict[str, Any]
    for wrong in (
        {"kind": "commission"},
        {"annual_fen": None},
        {"annual_fen": 0},
        {"share_bp": 100},
        {"kind": "commission", "annual_fen": None},
        {"kind": "commission", "annual_fen": None, "share_bp": 10_001},
        {"ends_on": "2026-09-30"},
        {"cabinet": "nowhere"},
        {"decided_by": ""},
    ):
        assert call("fan", "POST", "/site-contracts", RENT | wrong).status_code == 422, wrong
    nobodys = call("fan", "POST", "/site-contracts", RENT | {"company": "sto"})
    assert nobodys.status_code == 404
    share = {"kind": "commission", "share_bp": 500, "per_deposit_fen": 1}
    terms = {name: RENT[name] for name in ("company", "starts_on", "decided_by")}
    assert call("fan", "POST", "/site-contracts", terms | share).status_code == 201
    path = f"/site-contracts/{made.get_json()['id']}"
    ended = call("fan", "PATCH", path, {"ends_on": "2026-12-31"})
    assert ended.get_json()["ends_on"] == "2026-12-31"
    listed = call("ava", "GET", "/site-contracts", company="yto").get_json()
    assert [row["kind"] for row in listed] == ["commission", "rent"]


def test_rent_is_accrued_explained_and_collected(session: Session, call: Ask) -> None:
    call("ada", "POST", "/courier-companies", YTO)
    made = call("fan", "POST", "/site-contracts", RENT)
    path = f"/site-contracts/{made.get_json()['id']}/accruals"
    assert call("ava", "GET", path).get_json() == []
    assert [atomic(contracts.accrue_due, NOON.date()) for _ in range(2)] == [1, 0]
    [october] = call("ava", "GET", path).get_json()
    assert (october["month"], october["amount_fen"]) == ("2026-10", 100_000)
    assert october["lines"][0]["label"] == "场地租金 2026-10"
    assert call("fan", "GET", "/courier-companies").get_json()[0]["owed_fen"] == 100_000
    call("olga", "POST", "/courier-companies/yto/top-ups", {"amount_fen": 150_000})
    assert [atomic(accounts.collect) for _ in range(2)] == [1, 0]
    [yto] = call("fan", "GET", "/courier-companies").get_json()
    assert (yto["balance_fen"], yto["owed_fen"]) == (50_000, 0)
    assert call("ava", "GET", "/site-contracts/4711/accruals").status_code == 404
