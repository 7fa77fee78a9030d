"""The routes of money and of the books."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from ledger.charges import NewCharge
from tests.cast import NOON, Community, found_community
from tests.ledger.till import ask, book, fee, seal_all, settle_all, vote

Ask = Callable[..., TestResponse]


def parcel(number: int, amount_fen: int = 800, **changes: Any) -> NewCharge:
    """A fee of a source that no other package speaks for."""
    return fee(number, amount_fen, source="parcel", **changes)


@pytest.fixture
def community(app: Flask) -> Iterator[Community]:
    """The cast of the flows, at noon."""
    with clock.at(NOON):
        yield found_community(app)


@pytest.fixture
def get(community: Community) -> Ask:
    """GET as somebody."""

    def get(name: str, path: str, **query: Any) -> TestResponse:
        headers = community.as_person(name)
        return community.client.get(f"/api/v1{path}", query_string=query, headers=headers)

    return get


@pytest.fixture
def post(community: Community) -> Ask:
    """POST as somebody, with an idempotency key."""

    def post(name: str, path: str, body: Any, key: str | None = "k1") -> TestResponse:
        headers = community.as_person(name) | ({"Idempotency-Key": key} if key else {})
        return community.client.post(f"/api/v1{path}", json=body, headers=headers)

    return post


def test_from_a_top_up_to_the_trial_balance(
    session: Session, community: Community, get: Ask, post: Ask
) -> None:
    ana, bo = community.households["ana"], community.households["bo"]
    taken = post("olga", "/balance/top-ups", {"username": "ana", "amount_fen": 1000})
    assert taken.status_code == 201
    assert taken.get_json()["balance_fen"] == 1000
    book(session, parcel(900, household_id=ana), parcel(901, 500, household_id=bo))
    [mine] = get("ana", "/charges").get_json()
    assert (mine["amount_fen"], mine["lines"][0]["label"]) == (800, "首小时")
    paid = post("ana", "/payments", {"charge_id": mine["id"], "method": "balance"})
    assert paid.status_code == 201
    assert (
        paid.get_json().items()
        >= {
            "status": "succeeded",
            "amount_fen": 800,
            "method": "balance",
        }.items()
    )
    assert get("ana", "/balance").get_json()["balance_fen"] == 200
    assert get("fan", "/balance", username="ANA").get_json()["balance_fen"] == 200
    assert len(get("bo", "/payments").get_json()) == 0
    assert len(get("olga", "/payments").get_json()) == 1

    before = get("ava", "/ledger/trial-balance").get_json()
    assert before["unsettled"] == {"count": 4, "amount_fen": 3100}
    settle_all()
    trial = get("ava", "/ledger/trial-balance", book="owners").get_json()
    assert trial["unsettled"] == {"count": 0, "amount_fen": 0}
    assert trial["total_debit_fen"] == trial["total_credit_fen"] == 1500
    whole = get("ava", "/ledger/trial-balance").get_json()
    assert whole["total_debit_fen"] == whole["total_credit_fen"] == 1500 + 910 + 390
    assert {row["book"] for row in whole["rows"]} == {"owners", "fund", "provider"}
    by_code = {row["account"]: row for row in whole["rows"]}
    assert by_code["1001"] == {
        "book": "owners",
        "account": "1001",
        "name": "库存现金",
        "name_en": "Cash on hand",
        "type": "asset",
        "debit_fen": 1000,
        "credit_fen": 0,
        "entries": "/api/v1/ledger/entries?account=1001&to=2026-11-23",
    }
    assert by_code["430101"]["credit_fen"] == 560 + 350
    proof = get("fan", "/ledger/verify").get_json()
    assert proof["ok"]
    assert proof["checks"].keys() >= {"balances", "sources", "chain", "rollups"}


def test_entries_are_found_by_what_they_are_about(
    session: Session, community: Community, get: Ask, post: Ask
) -> None:
    ana = community.households["ana"]
    book(session, parcel(900, household_id=ana), parcel(901))
    owed = {"charge_id": 1, "method": "cash"}
    assert post("olga", "/payments", owed).status_code == 201
    settle_all()

    def found(**query: Any) -> list[str]:
        query = {"book": "owners"} | query
        answer = get("fan", "/ledger/entries", **query)
        assert answer.status_code == 200, answer.get_json()
        return [entry["source"] for entry in answer.get_json()]

    assert found() == ["charge:1", "charge:2", "payment:1"]
    assert found(source="parcel:900") == ["charge:1", "payment:1"]
    assert found(source="charge") == ["charge:1", "charge:2"]
    assert found(source="payment:1") == ["payment:1"]
    assert found(account="1001") == ["payment:1"]
    assert found(party=f"household:{ana}") == ["charge:1", "payment:1"]
    assert found(party=f"household:{ana}", account="1001") == []
    assert found(**{"from": "2026-11-23", "to": "2026-11-23", "source": "charge:1"}) == ["charge:1"]
    assert found(to="2026-11-22") == []
    assert found(book="fund") == found(book="provider") == ["charge:1", "charge:2"]
    assert found(book="fund", account="430101", source="parcel:901") == ["charge:2"]
    page = get("fan", "/ledger/entries", page=2, page_size=1, book="owners")
    assert json.loads(page.headers["X-Pagination"])["total"] == 3
    [entry] = page.get_json()
    assert entry["postings"][0] == {
        "account": "1121",
        "party": None,
        "amount_fen": 800,
        "split_rule_id": None,
    }
    assert entry["sealed_day"] is None
    promised = entry["hash"]
    way = f"/ledger/entries/{entry['id']}/proof"
    assert get("fan", way).status_code == 404
    seal_all()
    [(sealed,)] = ask(
        session, f"SELECT encode(leaf, 'hex') FROM entry_leaf WHERE entry_id = {entry['id']}"
    )
    [entry] = get("fan", "/ledger/entries", page=2, page_size=1, book="owners").get_json()
    assert entry["hash"] == get("fan", way).get_json()["leaf"] == sealed == promised


def test_the_fee_of_a_booking_is_paid_without_a_hook(
    session: Session, community: Community, get: Ask, post: Ask
) -> None:
    """Nothing is to be brought up to date when a booking was cancelled or not kept."""
    ana = community.households["ana"]
    late = {"source": "booking", "income": "booking", "household_id": ana}
    book(session, fee(7, 300, **late), fee(8, 500, **late), fee(9, 200, **late))
    settle_all()
    post("olga", "/balance/top-ups", {"username": "ana", "amount_fen": 400})
    seven, eight, nine = ({"charge_id": number, "method": "balance"} for number in (1, 2, 3))
    assert post("bo", "/payments", seven, key="k2").status_code == 404
    assert post("ana", "/payments", seven | {"method": "cash"}, key="k3").status_code == 403
    paid = post("ana", "/payments", seven, key="k4").get_json()
    assert (paid["amount_fen"], paid["source"], paid["source_id"]) == (300, "booking", 7)
    assert post("ana", "/payments", seven, key="k5").get_json()["code"] == "nothing-due"
    assert post("ana", "/payments", eight, key="k6").get_json()["code"] == "insufficient-balance"
    assert post("olga", "/payments", eight, key="k7").status_code == 422
    taken = post("olga", "/payments", eight | {"method": "cash"}, key="k8").get_json()
    assert (taken["amount_fen"], taken["method"]) == (500, "cash")
    assert post("olga", "/payments", nine | {"method": "cash"}, key="k9").status_code == 201
    vote(session, income="booking")
    session.commit()
    settle_all()
    trial = get("fan", "/ledger/trial-balance").get_json()
    net = {r["account"]: r["debit_fen"] - r["credit_fen"] for r in trial["rows"]}
    assert (net["1121"], net["430107"], net["600107"]) == (0, -700, -300)
    assert get("fan", "/ledger/verify").get_json()["checks"]["sources"]["ok"]


def test_charges_and_payments_are_found_by_what_they_are_for(
    session: Session, community: Community, get: Ask, post: Ask
) -> None:
    ana = community.households["ana"]
    parts = {"electricity": 120, "charging-service": 80}
    book(session, parcel(900, 200, income="ebike", household_id=ana, parts=parts))
    book(session, parcel(901, household_id=ana), fee(7, 300, source="booking", household_id=ana))
    assert post("olga", "/payments", {"charge_id": 1, "method": "cash"}).status_code == 201

    def found(name: str, path: str, **about: int) -> list[int]:
        answer = get(name, path, **about)
        assert answer.status_code == 200, answer.get_json()
        return [row["amount_fen"] for row in answer.get_json()]

    assert found("ana", "/charges", booking_id=7) == [300]
    assert found("bo", "/charges", booking_id=7) == []
    assert found("ana", "/charges", charge_id=1) == [200]
    assert found("ana", "/payments", charge_id=1) == found("fan", "/payments", charge_id=1) == [200]
    assert found("ana", "/payments", charge_id=2) == []
    for number in (1, 4711):
        assert get("bo", "/payments", charge_id=number).status_code == 404
    assert get("ana", "/charges", charge_id=1, booking_id=7).status_code == 422
    [plain] = get("ana", "/charges", charge_id=2).get_json()
    [divided] = get("ana", "/charges", charge_id=1).get_json()
    assert (plain["parts"], divided["parts"]) == (None, parts)


def test_a_payment_sent_twice_is_one(
    session: Session, community: Community, get: Ask, post: Ask
) -> None:
    book(session, parcel(900))
    owed = {"charge_id": 1, "method": "cash"}
    first, again = post("olga", "/payments", owed), post("olga", "/payments", owed)
    assert first.get_json() == again.get_json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert post("olga", "/payments", owed, key="k2").get_json()["code"] == "nothing-due"
    assert post("olga", "/payments", owed, key=None).status_code == 400
    assert len(get("olga", "/payments").get_json()) == 1


def test_a_split_rule_lets_waiting_charges_through(
    session: Session, community: Community, get: Ask, post: Ask
) -> None:
    book(session, parcel(900, income="locker"))
    assert settle_all() == 1
    rule = {
        "income": "locker",
        "ownership": "community",
        "shares": {"micro_fund": 2, "property": 1},
        "valid_from": "2026-01-01",
        "decided_by": "第三次业主大会",
    }
    wrong: dict[str, Any]
    for wrong in (
        {"shares": {}},
        {"shares": {"owner": 1}},
        {"shares": {"micro_fund": -1}},
        {"shares": {"micro_fund": 1.5}},
        {"shares": {"somebody": 1}},
        {"valid_from": "1970-01-01"},
        {"income": "helipad"},
        {"decided_by": ""},
        {"more": 1},
    ):
        assert post("fan", "/ledger/split-rules", rule | wrong).status_code == 422, wrong
    assert post("ava", "/ledger/split-rules", rule).status_code == 403
    added = post("fan", "/ledger/split-rules", rule)
    assert added.status_code == 201
    assert added.get_json()["shares"] == {"micro_fund": 2, "property": 1, "owner": 0}
    assert settle_all() == 1
    [newest] = get("ava", "/ledger/split-rules", page_size=1).get_json()
    assert newest["id"] == added.get_json()["id"]


def test_nonsense_is_refused(community: Community, get: Ask, post: Ask) -> None:
    for query in (
        {"from": "1970-01-01"},
        {"to": "2999-01-01"},
        {"from": "yesterday"},
        {"account": "1" * 17},
        {"party": ""},
        {"source": "stay:1'; DROP TABLE posting"},
        {"source": "stay:" + "9" * 30},
        {"page": 0},
        {"page": 10**30},
        {"nothing": 1},
        {"book": "ours"},
    ):
        assert get("fan", "/ledger/entries", **query).status_code == 422, query
    assert get("fan", "/ledger/trial-balance", as_of="2999-12-31").status_code == 422
    assert get("fan", "/balance").status_code == 422
    assert get("fan", "/balance", username="nobody").status_code == 422
    assert get("ana", "/balance", username="bo").status_code == 404
    assert get("ana", "/ledger/verify").status_code == 403
    body: Any
    for body in (
        {},
        [],
        {"stay_id": 1},
        {"method": "cash"},
        {"stay_id": 1, "charge_id": 1, "method": "cash"},
        {"stay_id": 2**63, "method": "cash"},
        {"stay_id": "1; DROP", "method": "cash"},
        {"stay_id": True, "method": "cash"},
        {"charge_id": 1, "method": "shells"},
    ):
        assert post("olga", "/payments", body).status_code == 422, body
    assert post("olga", "/payments", {"charge_id": 5, "method": "cash"}).status_code == 404
    for body in (
        {"username": "ana"},
        {"username": "ana", "amount_fen": 0},
        {"username": "ana", "amount_fen": -1},
        {"username": "ana", "amount_fen": 10.5},
        {"username": "ana", "amount_fen": 10**12},
        {"username": "olga", "amount_fen": 5},
        {"username": "a\x00b", "amount_fen": 5},
    ):
        assert post("olga", "/balance/top-ups", body).status_code == 422, body


def test_verify_names_what_is_wrong(session: Session, community: Community, get: Ask) -> None:
    book(session, parcel(900))
    settle_all()
    session.execute(text("ALTER TABLE posting DISABLE TRIGGER USER"))
    session.execute(text("UPDATE posting SET amount_fen = 799 WHERE line = 1"))
    session.commit()
    answer = get("ava", "/ledger/verify").get_json()
    assert not answer["ok"]
    assert "entry 1 (charge:1)" in answer["checks"]["balances"]["detail"]
