"""How income divides: cost first, then shares; by lot, by version, and what other rules mean."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from core.errors import Problem
from ledger import division, journal, proof, split_rules
from ledger.accounts import (
    FUND,
    INCOMES,
    OWNERS,
    PROPERTY_PAYABLE,
    PROVIDER,
    PROVIDER_COSTS,
    PROVIDER_INCOMES,
)
from ledger.division import Split
from ledger.journal import ChargeFacts
from tests.cast import Community
from tests.ledger.till import NOON, Till, ask, book, fee, open_till, postings, settle_all

SINCE = date(2026, 1, 1)
FEN = st.integers(-(10**9), 10**9)
WEIGHTS = st.tuples(*[st.integers(0, 100)] * 3).filter(any)
COSTS = st.integers(0, 1000)


def rule(income: str = "parking", ownership: str = "private", **changes: Any) -> Split:
    facts = {"micro_fund": 20, "property": 10, "owner": 70, "cost_permille": 150}
    return Split(7, income, ownership, valid_from=SINCE, **facts | changes)


@st.composite
def rules_of(draw: st.DrawFn, income: str) -> Split:
    fund, company, owner = draw(WEIGHTS)
    cost = draw(COSTS)
    return rule(income, micro_fund=fund, property=company, owner=owner, cost_permille=cost)


def charge(parts: Mapping[str, int], before: Mapping[str, int] | None = None) -> ChargeFacts:
    whole = sum(parts.values())
    facts = ("credit" if whole < 0 else "fee", "stay", 1, "parking", 3, 4, whole, SINCE)
    return ChargeFacts(9, *facts, parts=parts, before=before)


def moved(charge: ChargeFacts, rules: Mapping[str, Split]) -> dict[tuple[str, str], int]:
    """Fen by book and account, credits positive."""
    fen: dict[tuple[str, str], int] = {}
    for entry in journal.of_charge(charge, rules):
        assert sum(line.amount_fen for line in entry.lines) == 0
        for line in entry.lines:
            key = entry.book, line.account
            fen[key] = fen.get(key, 0) - line.amount_fen
    return {key: amount for key, amount in fen.items() if amount}


@given(FEN, rules_of("parking"))
def test_cost_comes_first_and_all_of_it_is_somebodys(fen: int, rule: Split) -> None:
    got = rule.divide(fen)
    assert got.cost_fen + got.fund_fen + got.provider_fen + got.owner_fen == fen
    assert abs(got.cost_fen * 1000 - fen * rule.cost_permille) <= 500
    rest, weights = fen - got.cost_fen, (rule.micro_fund, rule.property, rule.owner)
    shares = (got.fund_fen, got.provider_fen, got.owner_fen)
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share * sum(weights) - rest * weight) < sum(weights)
        assert share * fen >= 0


@given(FEN, rules_of("parking"))
def test_a_credit_is_the_mirror(fen: int, rule: Split) -> None:
    there, back = rule.divide(fen), rule.divide(-fen)
    assert there.less(there) == back.less(back)
    for name in ("cost_fen", "fund_fen", "provider_fen", "owner_fen"):
        assert getattr(there, name) == -getattr(back, name)


@given(FEN.filter(bool), FEN.filter(bool), rules_of("parking"), rules_of("overstay"))
def test_nobodys_share_moves_when_another_source_is_added(
    parking: int, overstay: int, first: Split, second: Split
) -> None:
    rules = {"parking": first, "overstay": second}
    alone = [
        moved(charge({income: fen}), rules)
        for income, fen in (("parking", parking), ("overstay", overstay))
    ]
    both = moved(charge({"parking": parking, "overstay": overstay}), rules)
    added = {key: sum(part.get(key, 0) for part in alone) for key in {*alone[0], *alone[1]}}
    assert both == {key: fen for key, fen in added.items() if fen}


@given(st.lists(st.integers(1, 500), min_size=1, max_size=8), rules_of("parking"))
def test_credits_that_undo_a_fee_undo_it_exactly(steps: list[int], rule: Split) -> None:
    rules, total = {"parking": rule}, sum(steps)
    fen = moved(charge({"parking": total}), rules)
    left = total
    for step in steps:
        for key, amount in moved(charge({"parking": -step}, {"parking": left}), rules).items():
            fen[key] = fen.get(key, 0) + amount
        left -= step
    assert not any(fen.values())


@given(st.lists(st.tuples(st.sampled_from([None, "B2", "B3"]), st.dates(SINCE, date(2026, 6, 1)))))
def test_a_lots_own_rule_goes_before_the_general_ones(
    found: list[tuple[str | None, date]],
) -> None:
    rules = [
        Split(number, "parking", "community", 1, 1, 0, day, lot)
        for number, (lot, day) in enumerate(found)
    ]
    on = date(2026, 4, 1)
    for lot in (None, "B2"):
        fit = [r for r in rules if r.valid_from <= on and r.lot in {None, lot}]
        own = [r for r in fit if lot and r.lot == lot]
        newest = max(own or fit, key=lambda r: (r.valid_from, r.id), default=None)
        assert division.rule_for(rules, "parking", "community", on, lot) == newest


@pytest.fixture
def till(session: Session) -> Till:
    """Two lots; parking is shared out from 2026 on, and B2 recovers a tenth as cost first."""
    session.execute(
        text("INSERT INTO lot (code, name, kind) VALUES ('B2', '', 'car'), ('B3', '', 'car')")
    )
    till = open_till(session)
    decide(session, lot="B2", cost_permille=100)
    return till


def decide(session: Session, **changes: Any) -> Any:
    facts: dict[str, Any] = {
        "income": "parking",
        "ownership": "community",
        "shares": {"micro_fund": 70, "property": 30},
        "valid_from": SINCE,
        "decided_by": "2026年第二次业主大会",
    }
    added = split_rules.add(session, **facts | changes)
    session.commit()
    return added


def test_cost_is_recovered_in_the_lot_that_voted_for_it(session: Session, till: Till) -> None:
    book(session, fee(1, 801, lot="B2"), fee(2, 801, lot="B3"), fee(3, 801))
    book(session, fee(1, -300, kind="credit"))
    settle_all()
    cost, share = PROVIDER_COSTS["parking"], PROVIDER_INCOMES["parking"]
    assert postings(session, "charge", 1, PROVIDER) == [
        ("1141", None, 296), (cost, None, -80), (share, None, -216),
    ]  # fmt: skip
    assert postings(session, "charge", 1, OWNERS)[1:] == [
        ("220903", None, -505), (PROPERTY_PAYABLE, "company:property", -296),
    ]  # fmt: skip
    for other in (2, 3):
        assert postings(session, "charge", other, PROVIDER) == [
            ("1141", None, 240), (share, None, -240),
        ]  # fmt: skip
    assert ask(session, "SELECT lot FROM charge WHERE id = 4") == [("B2",)]
    assert postings(session, "charge", 4, FUND)[1:] == [(INCOMES["parking"][0], None, 189)]
    found = proof.verify(session)
    assert found.ok, found.checks


def test_a_correction_follows_the_rule_its_fee_was_divided_by(session: Session, till: Till) -> None:
    """A rule that is recorded late, for a day gone by, moves nothing that is in the books."""
    book(session, fee(1, 800))
    settle_all()
    late = decide(session, shares={"property": 1})
    book(session, fee(1, -500, kind="credit"), fee(2, 800))
    book(session, fee(1, -300, kind="credit"))
    settle_all()
    undone = """
        SELECT p.account, sum(p.amount_fen)::int FROM posting AS p
        JOIN journal_entry AS e ON e.id = p.entry_id
        JOIN charge ON e.source = 'charge' AND charge.id = e.source_id
        WHERE charge.source_id = 1 GROUP BY 1
    """
    assert {fen for _, fen in ask(session, undone)} == {0}
    assert ask(session, "SELECT DISTINCT split_rule_id FROM journal_entry WHERE source_id = 3") == [
        (late.id,)
    ]


def test_versions_count_the_rules_of_one_kind(session: Session, till: Till) -> None:
    versions = [
        decide(session, **of).version
        for of in ({}, {"lot": "B2"}, {"lot": "B3"}, {"ownership": "private"}, {"income": "ebike"})
    ]
    assert versions == [2, 2, 1, 2, 1]
    with pytest.raises(Problem) as caught:
        decide(session, lot="B9")
    assert caught.value.errors == {"lot": ["there is no lot of this code"]}


def test_the_vote_is_kept_with_the_rule(community: Community) -> None:
    """Fan records how the owners voted; what contradicts itself is refused by its name."""
    said = {
        "income": "parking",
        "ownership": "community",
        "lot": "B2",
        "cost_permille": 120,
        "shares": {"micro_fund": 3, "property": 1, "owner": 0},
        "valid_from": "2026-12-01",
        "decided_by": "2026年第二次业主大会",
        "vote": {
            "decided_on": "2026-11-20",
            "votes_for": 151,
            "votes_against": 12,
            "votes_abstained": 3,
            "area_for_permille": 802,
            "reference": "档案室 2026-17，会议纪要及表决票",
        },
    }
    added = post(community, "", said)
    assert added.status_code == 201
    shown = added.get_json()
    assert shown["version"] == 1
    assert {name: shown[name] for name in said} == said
    for field, wrong in (
        ("cost_permille", {"cost_permille": 1001}),
        ("cost_permille", {"cost_permille": -1}),
        ("cost_permille", {"cost_permille": 12.5}),
        ("lot", {"lot": "B9"}),
        ("lot", {"lot": "'; DROP TABLE lot"}),
        ("vote", {"vote": {"votes_for": 1}}),
        ("vote", {"vote": {"votes_for": -1, "votes_against": 1, "votes_abstained": 1}}),
        ("vote", {"vote": {"area_for_permille": 1001}}),
        ("vote", {"vote": {"decided_on": "soon"}}),
        ("version", {"version": 9}),
    ):
        refused = post(community, "", said | wrong)
        assert (refused.status_code, *refused.get_json()["errors"]) == (422, field)
    assert post(community, "", {k: v for k, v in said.items() if k != "vote"}).status_code == 201


def test_what_if_divides_last_month_anew_and_writes_nothing(
    community: Community, session: Session
) -> None:
    """October: two fees at B2, one of them partly taken back, one that no rule divides."""
    october = NOON - timedelta(days=30)
    with clock.at(october):
        book(
            session,
            fee(1, 1000, lot="B2", occurred_at=october),
            fee(2, 500, parts={"parking": 300, "overstay": 200}, occurred_at=october),
            fee(3, 700, occurred_at=NOON),
        )
        book(session, fee(1, -100, kind="credit", occurred_at=october))
    with clock.at(NOON):
        settle_all()
        before = ask(session, "SELECT count(*) FROM split_rule")
        proposed = [
            {
                "income": "parking",
                "ownership": "community",
                "cost_permille": 100,
                "shares": {"micro_fund": 1},
            }
        ]
        answer = post(community, "/what-if", {"rules": proposed}, name="ava")
    assert answer.status_code == 200
    said = answer.get_json()
    overstay, parking = said.pop("incomes")
    assert parking == {
        "income": "parking",
        "charges": 3,
        "amount_fen": 1200,
        "now": recipients(fund_fen=840, provider_fen=360),
        "then": recipients(fund_fen=1080, cost_fen=120),
        "difference": recipients(fund_fen=240, cost_fen=120, provider_fen=-360),
    }
    assert overstay["then"] == overstay["now"] == recipients(undivided_fen=200)
    assert (said["month"], said["charges"], said["amount_fen"]) == ("2026-10", 3, 1400)
    assert said["then"] == recipients(fund_fen=1080, cost_fen=120, undivided_fen=200)
    assert ask(session, "SELECT count(*) FROM split_rule") == before


def test_what_if_leaves_a_lot_its_own_rule(community: Community, session: Session) -> None:
    atomic(decide_for_b2)
    book(session, fee(1, 1000, lot="B2"), fee(2, 1000))
    settle_all()
    usual = {"income": "parking", "ownership": "community", "shares": {"property": 1}}
    asked: dict[str, Any] = {"month": "2026-11", "rules": [usual]}
    now = recipients(fund_fen=700 + 1000, provider_fen=300)
    answer = post(community, "/what-if", asked).get_json()
    assert (answer["now"], answer["then"]["provider_fen"]) == (now, 1000)
    asked["rules"].append(usual | {"lot": "B2"})
    assert post(community, "/what-if", asked).get_json()["then"]["provider_fen"] == 2000
    for field, wrong in (
        ("rules", {"rules": []}),
        ("rules", {"rules": [usual, usual]}),
        ("rules", {"rules": [usual | {"lot": "B9"}]}),
        ("month", {"month": "2026-13"}),
    ):
        refused = post(community, "/what-if", asked | wrong)
        assert (refused.status_code, *refused.get_json()["errors"]) == (422, field)


def decide_for_b2(session: Session) -> None:
    split_rules.add(
        session,
        income="parking",
        ownership="community",
        lot="B2",
        shares={"micro_fund": 1},
        valid_from=SINCE,
        decided_by="B2车库业主表决",
    )


def recipients(**fen: int) -> dict[str, int]:
    names = ("fund_fen", "cost_fen", "provider_fen", "owners_fen", "undivided_fen")
    return dict.fromkeys(names, 0) | fen


def post(community: Community, path: str, body: Any, name: str = "fan") -> Any:
    headers = community.as_person(name)
    return community.client.post(f"/api/v1/ledger/split-rules{path}", json=body, headers=headers)
