"""Locker rules: what can be written, what cannot, and in which words that is said."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.rules import SITES, LockerRules, RulesError, parse_rules, quiet_minutes


def errors(**rules: object) -> dict[str, list[str]]:
    with pytest.raises(RulesError) as refused:
        parse_rules(rules)
    return refused.value.errors


# --- What can be written


def test_rules_come_back_from_their_json_as_they_were_stored() -> None:
    some = parse_rules({"free_hours": 24, "weekends_stop_at": ["office", "school"]})
    assert parse_rules(json.loads(json.dumps(asdict(some)))) == some
    assert (some.free_hours, some.weekends_stop_at) == (24, ("office", "school"))


def test_everything_has_a_default_and_the_defaults_are_the_ladder_residents_know() -> None:
    rules = parse_rules({})
    assert rules == LockerRules() == parse_rules(asdict(LockerRules()))
    assert (rules.free_hours, rules.step_hours, rules.step_fen, rules.cap_fen) == (18, 12, 50, 300)


def test_a_community_may_take_nothing_at_all() -> None:
    assert parse_rules({"step_fen": 0, "cap_fen": 0}).cap_fen == 0
    assert parse_rules({"step_fen": 0}).step_fen == 0


def test_quiet_hours_have_a_length_and_may_be_none() -> None:
    assert quiet_minutes(LockerRules()) == 9 * 60
    assert quiet_minutes(parse_rules({"quiet_from": "08:00", "quiet_until": "15:30"})) == 450
    assert quiet_minutes(parse_rules({"quiet_from": "00:00", "quiet_until": "00:00"})) == 0


# --- What cannot


WRONG: list[tuple[str, Any]] = [
    ("free_hours", 18.0),
    ("free_hours", "18"),
    ("free_hours", True),
    ("free_hours", None),
    ("free_hours", 337),
    ("step_hours", 0),
    ("step_fen", -1),
    ("cap_fen", 10_001),
    ("member_free_hours", 745),
    ("holidays_stop", 1),
    ("quiet_stops", "true"),
    ("cameras_required", None),
    ("weekends_stop_at", "office"),
    ("weekends_stop_at", ["mall"]),
    ("weekends_stop_at", [["office"]]),
    ("weekends_stop_at", ["office", "office"]),
    ("quiet_from", "24:00"),
    ("quiet_from", "7:00"),
    ("quiet_until", "07:00\n"),
    ("quiet_until", "07:00:00"),
    ("quiet_until", 7),
    ("quiet_until", ["07:00"]),
    ("unknown_recipients", "accept"),
    ("unknown_recipients", ["ask"]),
    ("hold_minutes", 0),
    ("keep_large_free", -1),
    ("heartbeat_seconds", 4),
    ("code_failures", 11),
    ("guess_pause_seconds", 0),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_wrong_value_is_named_in_chinese(field: str, value: object) -> None:
    ((said,),) = [errors(**{field: value})[field]]
    assert "：" in said


def test_every_bad_field_is_told_at_once() -> None:
    told = errors(free_hours=0, step_fen="free", colour="red")
    assert set(told) == {"free_hours", "step_fen", "colour"}
    assert told["colour"] == ["未知字段"]


def test_rules_are_an_object() -> None:
    with pytest.raises(RulesError) as refused:
        parse_rules([1])  # type: ignore[arg-type]
    assert refused.value.errors == {"rules": ["快递柜规则须为一个对象"]}


def test_there_is_always_a_storage_period_in_which_nothing_is_charged() -> None:
    assert errors(free_hours=0) == {"free_hours": ["免费存放时长：须为 1 到 336 的整数"]}


CONTRADICTIONS: list[tuple[str, dict[str, Any]]] = [
    ("cap_fen", {"cap_fen": 49}),
    ("cap_fen", {"step_fen": 1, "cap_fen": 61}),
    ("member_free_hours", {"member_free_hours": 17}),
    ("warn_hours", {"warn_hours": 18}),
    ("removal_hours", {"removal_hours": 72}),
    ("grace_seconds", {"grace_seconds": 59}),
    ("quiet_until", {"quiet_from": "06:00", "quiet_until": "22:01"}),
    ("quiet_stops", {"quiet_from": "22:00", "quiet_until": "22:00", "quiet_stops": True}),
]


@pytest.mark.parametrize(("field", "rules"), CONTRADICTIONS)
def test_rules_that_contradict_each_other_are_refused(field: str, rules: dict[str, Any]) -> None:
    told = errors(**rules)
    assert list(told) == [field]
    assert "：" in told[field][0]


@pytest.mark.parametrize(
    "rules",
    [
        {"cap_fen": 50},
        {"step_fen": 1, "cap_fen": 60},
        {"member_free_hours": 18},
        {"warn_hours": 17},
        {"removal_hours": 73},
        {"grace_seconds": 60},
        {"quiet_from": "06:00", "quiet_until": "22:00", "quiet_stops": True},
    ],
)
def test_what_just_does_not_contradict_is_kept(rules: dict[str, Any]) -> None:
    assert asdict(parse_rules(rules)) == asdict(LockerRules()) | rules


@given(
    st.dictionaries(
        st.sampled_from(sorted(asdict(LockerRules()))) | st.text(max_size=3),
        st.integers(-5, 400)
        | st.booleans()
        | st.none()
        | st.text(max_size=5)
        | st.lists(st.sampled_from(SITES) | st.integers()),
    )
)
def test_whatever_is_written_is_either_refused_with_reasons_or_kept(rules: dict[str, Any]) -> None:
    parsed = parsed_or_refused(rules)
    if isinstance(parsed, RulesError):
        assert parsed.errors
        assert all(parsed.errors.values())
        return
    assert parse_rules(asdict(parsed)) == parsed
    assert parsed.cap_fen >= parsed.step_fen
    assert parsed.member_free_hours >= parsed.free_hours >= 1


def parsed_or_refused(rules: dict[str, Any]) -> LockerRules | RulesError:
    try:
        return parse_rules(rules)
    except RulesError as refused:
        return refused
