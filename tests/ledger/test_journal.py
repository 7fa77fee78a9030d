"""Shares and entries, for any amount under any rule."""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from core.money import shares
from ledger import division, journal, merkle
from ledger.accounts import FUND, FUND_PAYABLE, INCOMES, PROPERTY_PAYABLE, PROVIDER
from ledger.division import Split
from ledger.journal import ChargeFacts

WEIGHTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=5).filter(any)
FEN = st.integers(-(10**12), 10**12)
NIGHT = datetime(2026, 11, 23, tzinfo=UTC)
DAYS = st.dates(date(2026, 1, 1), date(2026, 12, 31))
HOUSEHOLDS = st.none() | st.integers(1, 2**63 - 1)


@st.composite
def a_rule(draw: st.DrawFn, ownership: str) -> Split:
    """Any rule the table takes."""
    owner = st.integers(0, 100) if ownership == division.PRIVATE else st.just(0)
    weights = draw(st.tuples(st.integers(0, 100), st.integers(0, 100), owner).filter(any))
    return Split(7, "parking", ownership, *weights, date(2026, 1, 1))


@st.composite
def a_charge(draw: st.DrawFn) -> ChargeFacts:
    """Any charge the table takes."""
    kind = draw(st.sampled_from(["fee", "supplement", "credit"]))
    fen = draw(st.integers(1, 10**12))
    return ChargeFacts(
        id=draw(st.integers(1, 2**63 - 1)),
        kind=kind,
        source="stay",
        source_id=1,
        income=draw(st.sampled_from(sorted(INCOMES))),
        household_id=draw(HOUSEHOLDS),
        owner_household_id=draw(HOUSEHOLDS),
        amount_fen=-fen if kind == "credit" else fen,
        occurred_on=draw(DAYS),
    )


@given(FEN, WEIGHTS)
def test_shares_sum_to_the_whole_and_are_fair(total: int, weights: list[int]) -> None:
    parts = shares(total, weights)
    assert sum(parts) == total
    assert shares(-total, weights) == [-part for part in parts]
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - total * weight) < sum(weights)


@given(st.data(), a_charge())
def test_any_charge_under_any_rule_balances(data: st.DataObject, charge: ChargeFacts) -> None:
    rule = data.draw(a_rule(charge.ownership))
    entries = journal.of_charge(charge, {charge.income: rule})
    assert len({entry.key for entry in entries}) == len(entries)
    assert entries[0].lines[0].amount_fen == charge.amount_fen
    for entry in entries:
        assert sum(line.amount_fen for line in entry.lines) == 0
        assert len(entry.lines) >= 2
        assert all(line.amount_fen for line in entry.lines)
        signs = {line.amount_fen > 0 for line in entry.lines[1:]}
        assert signs == {charge.amount_fen < 0}
    owed = {line.account: -line.amount_fen for line in entries[0].lines[1:]}
    shared = {entry.book: entry.lines[0].amount_fen for entry in entries[1:]}
    assert owed.get(FUND_PAYABLE) == shared.get(FUND)
    assert owed.get(PROPERTY_PAYABLE) == shared.get(PROVIDER)


@given(st.data(), a_charge(), DAYS)
def test_a_reversal_is_the_mirror_of_its_entry(
    data: st.DataObject, charge: ChargeFacts, on: date
) -> None:
    rule = data.draw(a_rule(charge.ownership))
    for number, entry in enumerate(journal.of_charge(charge, {charge.income: rule}), start=1):
        back = journal.reversal(number, entry, on, "录错")
        assert (back.book, back.reverses_id, back.occurred_on) == (entry.book, number, on)
        assert back.key not in {entry.key, journal.reversal(2, back, on, "又错").key}
        both = zip(entry.lines, back.lines, strict=True)
        assert all(a == replace(b, amount_fen=-b.amount_fen) for a, b in both)


@given(st.lists(st.tuples(DAYS, st.integers(1, 99)), max_size=6, unique_by=lambda r: r[1]), DAYS)
def test_the_newest_rule_not_after_the_day_is_in_force(
    found: list[tuple[date, int]], on: date
) -> None:
    rules = [Split(id_, "parking", "community", 1, 1, 0, day) for day, id_ in found]
    rule = division.rule_for(rules, "parking", "community", on)
    fit = [(day, id_) for day, id_ in found if day <= on]
    assert (rule and (rule.valid_from, rule.id)) == (max(fit) if fit else None)
    assert division.rule_for(rules, "parking", "private", on) is None
    assert division.rule_for(rules, "ebike", "community", on) is None


@given(a_charge(), a_charge())
def test_different_entries_have_different_fingerprints(a: ChargeFacts, b: ChargeFacts) -> None:
    assume(a != b)
    entries = [
        journal.of_charge(
            charge,
            {charge.income: Split(7, "parking", charge.ownership, 7, 2, 1, a.occurred_on)},
        )
        for charge in (a, b)
    ]
    assume(entries[0] != entries[1])
    first, second = ([journal.fingerprint(entry) for entry in said] for said in entries)
    assert first != second


def test_the_canonical_form_is_fixed() -> None:
    """Whoever recomputes the chain relies on every byte of it."""
    entry = journal.of_top_up(5, "household:12", 1000, date(2026, 11, 23))
    recorded_at = datetime(2026, 11, 23, 12, 0, 0, 250, tzinfo=timezone(timedelta(hours=8)))
    posted_on = date(2026, 12, 1)
    content = journal.canonical(3, recorded_at, posted_on, entry)
    said = (
        '"owners","top_up",5,"settle","2026-11-23","余额充值",null,null,'
        '[["1001",null,1000,null],["2203","household:12",-1000,null]]]'
    )
    fingerprint = hashlib.sha256(f"[{said}".encode())
    assert journal.fingerprint(entry) == fingerprint.digest()
    assert content.decode() == (
        '["huilin-entry-2",3,"2026-11-23T04:00:00.000250+00:00","2026-12-01",'
        f'"{fingerprint.hexdigest()}",{said}'
    )
    assert content == journal.canonical(3, recorded_at.astimezone(UTC), posted_on, entry)
    assert merkle.leaf_of(content) == hashlib.sha256(b"\0" + content).digest()


def test_the_canonical_form_of_several_incomes_is_fixed() -> None:
    """Each credited line names the rule that made it; the entry itself names none."""
    facts = ("fee", "stay", 1, "ebike", None, None, 160, date(2026, 11, 23))
    charge = ChargeFacts(9, *facts, parts={"charging-service": 60, "electricity": 100, "ebike": 0})
    rules = {
        "electricity": Split(4, "electricity", "community", 1, 0, 0, date(2026, 1, 1)),
        "charging-service": Split(5, "charging-service", "community", 2, 1, 0, date(2026, 1, 1)),
    }
    said = [
        journal.canonical(3, NIGHT, NIGHT.date(), entry).decode().partition('"charge",9,')[2]
        for entry in journal.of_charge(charge, rules)
    ]
    memo = '"2026-11-23","充电电费、充电服务费 stay:1",null,null,'
    assert said == [
        f'"settle",{memo}[["1121",null,160,null],["220903",null,-100,4],'
        '["220903",null,-40,5],["220902","company:property",-20,5]]]',
        f'"settle:fund",{memo}[["1131",null,140,null],["430105",null,-100,4],'
        '["430106",null,-40,5]]]',
        f'"settle:provider",{memo}[["1141",null,20,null],["600106",null,-20,5]]]',
    ]


def test_a_charge_without_an_account_for_its_income_is_a_mistake() -> None:
    charge = ChargeFacts(1, "fee", "stay", 1, "helipad", None, None, 5, date(2026, 1, 1))
    rule = Split(1, "helipad", "community", 1, 0, 0, date(2026, 1, 1))
    with pytest.raises(KeyError):
        journal.of_charge(charge, {"helipad": rule})
