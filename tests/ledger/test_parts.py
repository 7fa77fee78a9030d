"""One charge, several incomes: each is split by its own rule, and all stand in one entry."""

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import count

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from core.money import shares
from ledger import proof, split_rules
from ledger.accounts import INCOMES, PROVIDER_INCOMES
from ledger.source_models import Charge
from tests.ledger.till import (
    NOON,
    Till,
    ask,
    book,
    cash,
    fee,
    open_till,
    postings,
    settle_all,
    vote,
)

BY_INCOME = """
SELECT rule.income, array_agg(-p.amount_fen ORDER BY p.line)
FROM posting AS p JOIN journal_entry AS e ON e.id = p.entry_id
JOIN split_rule AS rule ON rule.id = coalesce(p.split_rule_id, e.split_rule_id)
WHERE e.source = 'charge' AND e.source_id = :charge AND p.account <> '1121' AND e.book = 'owners'
GROUP BY rule.income
"""
WHOLE = """
SELECT count(DISTINCT e.id), sum(p.amount_fen),
    array_agg(p.amount_fen) FILTER (WHERE p.account = '1121')
FROM posting AS p JOIN journal_entry AS e ON e.id = p.entry_id
WHERE e.source = 'charge' AND e.source_id = :charge AND e.book = 'owners'
"""
PARTS = st.dictionaries(
    st.sampled_from(sorted(INCOMES)), st.integers(-3000, 3000), min_size=1
).filter(lambda parts: sum(parts.values()) != 0)
WEIGHTS = st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)).filter(any)


@pytest.fixture
def till(session: Session) -> Till:
    """The cast; every income is split as parking is."""
    till = open_till(session, rules=False)
    for income in INCOMES:
        vote(session, income=income)
    session.commit()
    return till


def aside(session: Session) -> list[tuple[object, ...]]:
    """Charges that were set aside, and why."""
    sql = "SELECT id, set_aside_reason FROM charge WHERE set_aside_reason IS NOT NULL ORDER BY id"
    return list(ask(session, sql))


def test_every_income_of_the_chart_has_its_account(session: Session) -> None:
    wanted = [("fund", account) for account, _ in INCOMES.values()]
    wanted += [("provider", PROVIDER_INCOMES[income]) for income in INCOMES]
    sql = """
        SELECT book, code FROM account WHERE type = 'income' AND active
            AND parent IN ('4301', '6001') AND normal_side = 'credit' AND name_en <> ''
    """
    assert sorted(ask(session, sql)) == sorted(wanted)


def test_electricity_and_service_stand_apart(session: Session, till: Till) -> None:
    """The rule of 2024: never one bundled fee, neither on the charge nor in the books."""
    split_rules.add(
        session,
        income="electricity",
        ownership="community",
        shares={"micro_fund": 1},
        valid_from=date(2026, 6, 1),
        decided_by="第二次业主大会",
    )
    session.commit()
    parts = {"charging-service": 81, "electricity": 119, "ebike": 100}
    book(session, fee(1, 300, income="ebike", household_id=till.ana, parts=parts))
    book(session, cash(till, 1, 300))
    assert settle_all() == 2
    assert postings(session, "charge", 1) == [
        ("1121", f"household:{till.ana}", 300),
        ("220903", None, -70),
        ("220902", "company:property", -30),
        ("220903", None, -119),
        ("220903", None, -57),
        ("220902", "company:property", -24),
    ]
    assert ask(
        session, "SELECT DISTINCT memo, split_rule_id FROM journal_entry WHERE source = 'charge'"
    ) == [("电动自行车车位费、充电电费、充电服务费 stay:1", None)]
    assert proof.verify(session).ok


def test_a_part_below_zero_takes_from_its_income(session: Session, till: Till) -> None:
    """As when a cap of the day moved money from overstaying to parking."""
    place = {"household_id": till.ana, "owner_household_id": till.bo}
    book(session, fee(1, 900, parts={"parking": 1000, "overstay": -100}, **place))
    settle_all()
    assert postings(session, "charge", 1) == [
        ("1121", f"household:{till.ana}", 900),
        ("220903", None, -200),
        ("220902", "company:property", -100),
        ("220901", f"household:{till.bo}", -700),
        ("220903", None, 20),
        ("220902", "company:property", 10),
        ("220901", f"household:{till.bo}", 70),
    ]
    assert proof.verify(session).ok


def test_a_correction_brings_its_own_parts(session: Session, till: Till) -> None:
    """Or none, and is then all of the fee's income; each by the rule of the fee's day."""
    book(session, fee(1, 800, parts={"parking": 500, "overstay": 300}))
    split_rules.add(
        session,
        income="overstay",
        ownership="community",
        shares={"property": 1},
        valid_from=date(2026, 12, 1),
        decided_by="第二次业主大会",
    )
    session.commit()
    later = {"occurred_at": NOON + timedelta(days=10)}
    book(session, fee(1, -300, kind="credit", parts={"overstay": -300}, **later))
    book(session, fee(1, 10, kind="supplement", **later))
    assert settle_all() == 3
    assert [fen for _, _, fen in postings(session, "charge", 1)] == [800, -350, -150, -210, -90]
    assert postings(session, "charge", 2) == [
        ("1121", None, -300),
        ("220903", None, 210),
        ("220902", "company:property", 90),
    ]
    assert postings(session, "charge", 3)[1] == ("220903", None, -7)
    assert proof.verify(session).ok


def test_one_part_is_booked_as_a_charge_without_parts(session: Session, till: Till) -> None:
    book(session, fee(1, income="overstay"), fee(2, parts={"overstay": 800, "parking": 0}))
    settle_all()
    assert postings(session, "charge", 1) == postings(session, "charge", 2)
    named = ask(session, "SELECT DISTINCT split_rule_id IS NOT NULL FROM journal_entry")
    assert named == [(True,)]
    assert proof.verify(session).ok


def test_one_part_that_cannot_be_posted_sets_the_charge_aside(session: Session) -> None:
    open_till(session)
    book(
        session,
        fee(1, parts={"parking": 500, "overstay": 300}),
        fee(2, parts={"parking": 500, "helipad": 300}),
        fee(3, parts={"overstay": 500, "electricity": 300}),
        fee(4, income="overstay", parts={"parking": 800}),
    )
    assert settle_all() == 4
    assert aside(session) == [(1, "no-split-rule"), (2, "no-income-account"), (3, "no-split-rule")]
    vote(session, income="overstay")
    session.commit()
    assert settle_all() == 2
    assert aside(session) == [(2, "no-income-account"), (3, "no-split-rule")]
    vote(session, income="electricity")
    session.commit()
    assert settle_all() == 1
    assert proof.verify(session).ok


def test_a_charge_remembers_its_parts_or_none(session: Session, till: Till) -> None:
    parts = {"overstay": 300, "parking": 500}
    book(session, fee(1), fee(2, parts=parts))
    assert ask(session, "SELECT id FROM charge WHERE parts IS NULL") == [(1,)]
    assert session.get_one(Charge, 2).parts == parts


def test_any_parts_settle_income_by_income(session: Session) -> None:
    till, stays = open_till(session, rules=False), count(1)

    @settings(max_examples=25)
    @given(PARTS, PARTS, st.lists(WEIGHTS, min_size=len(INCOMES), max_size=len(INCOMES)))
    def settle(first: dict[str, int], then: dict[str, int], weights: list[tuple[int, ...]]) -> None:
        if sum(first.values()) < 0:
            first = {income: -fen for income, fen in first.items()}
        paid, more = sum(first.values()), sum(then.values())
        assume(paid + more >= 0)
        rules = dict(zip(INCOMES, weights, strict=True))
        _decide(session, rules)
        stay, place = next(stays), {"owner_household_id": till.bo}
        book(session, fee(stay, paid, parts=first, **place))
        kind = "credit" if more < 0 else "supplement"
        book(session, fee(stay, more, kind=kind, parts=then))
        assert settle_all() == 2
        [(one,), (two,)] = ask(
            session, "SELECT id FROM charge WHERE source_id = :stay ORDER BY id", stay=stay
        )
        _check(session, one, first, rules)
        _check(session, two, then, rules, before=first)

    settle()
    found = proof.verify(session)
    assert found.ok, found.checks


def _decide(session: Session, rules: Mapping[str, tuple[int, ...]]) -> None:
    for income, weights in rules.items():
        split_rules.add(
            session,
            income=income,
            ownership="private",
            shares=dict(zip(("micro_fund", "property", "owner"), weights, strict=True)),
            valid_from=date(2026, 1, 1),
            decided_by="今年的业主大会",
        )
    session.commit()


def _check(
    session: Session,
    charge: int,
    parts: Mapping[str, int],
    rules: Mapping[str, tuple[int, ...]],
    *,
    before: Mapping[str, int] | None = None,
) -> None:
    """A correction moves everybody to their share of all that was charged by now."""
    whole = sum(parts.values())
    assert ask(session, WHOLE, charge=charge) == [(1, 0, [whole])]
    assert dict(ask(session, BY_INCOME, charge=charge)) == {
        income: [
            now - then
            for now, then in zip(
                shares(fen + (before or {}).get(income, 0), rules[income]),
                shares((before or {}).get(income, 0), rules[income]),
                strict=True,
            )
            if now != then
        ]
        for income, fen in parts.items()
        if fen
    }
