"""Booking terms: what can be written, and what they make of a wish, a quota, a cancellation."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.terms import (
    Terms,
    TermsError,
    cancel_fee_fen,
    length_refusal,
    no_show_fee_fen,
    parse_terms,
    quota_refusal,
    refusal,
)

NOW = datetime(2026, 9, 7, 8, 0, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOON = datetime(2026, 9, 7, 12, tzinfo=UTC)


def errors(**terms: object) -> dict[str, list[str]]:
    with pytest.raises(TermsError) as refused:
        parse_terms(terms)
    return refused.value.errors


# --- What can be written


def test_terms_come_back_from_their_json_as_they_were_stored() -> None:
    some = parse_terms({"most_minutes": 1440, "order": "least-used", "step_minutes": 15})
    assert parse_terms(json.loads(json.dumps(asdict(some)))) == some
    assert (some.most_minutes, some.order, some.step_minutes) == (1440, "least-used", 15)


def test_everything_has_a_default_and_the_defaults_are_lawful() -> None:
    assert parse_terms({}) == Terms()
    assert parse_terms(asdict(Terms())) == Terms()


WRONG: list[tuple[str, Any]] = [
    ("least_minutes", 0),
    ("least_minutes", 30.0),
    ("least_minutes", "30"),
    ("least_minutes", None),
    ("most_minutes", 366 * 1440 + 1),
    ("ahead_minutes", -1),
    ("step_minutes", 7),
    ("step_minutes", True),
    ("step_minutes", 1.0),
    ("step_minutes", [1]),
    ("household_open", -1),
    ("household_open", True),
    ("household_month_minutes", 10**9),
    ("early_minutes", 1441),
    ("late_minutes", -1),
    ("too_early_minutes", 1441),
    ("hold_minutes", 0),
    ("no_show_percent", 101),
    ("cancel_free_minutes", -1),
    ("late_cancel_percent", 50.5),
    ("order", "by-name"),
    ("order", None),
    ("order", {}),
    ("prefer", "Community"),
    ("walk_in_hold_minutes", 0),
    ("walk_in_least_minutes", 0),
    ("lead_minutes", 1441),
    ("surprise", 1),
]


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_a_bad_value_is_named_and_nothing_else(field: str, value: object) -> None:
    assert set(errors(**{field: value})) == {field}


def test_every_field_is_checked() -> None:
    assert set(errors(**dict.fromkeys(asdict(Terms()), object()))) == set(asdict(Terms()))


def test_all_bad_fields_are_named_at_once_and_say_what_they_want() -> None:
    found = errors(hold_minutes=0, order="lottery")
    assert found == {
        "hold_minutes": ["未到场保留时长：须为 1 到 10080 的整数"],
        "order": ["车位紧张时的次序：须为 first-come 或 least-used"],
    }


@pytest.mark.parametrize("terms", [None, [], "{}", 3])
def test_terms_are_an_object(terms: Any) -> None:
    with pytest.raises(TermsError, match="terms"):
        parse_terms(terms)


@pytest.mark.parametrize(
    ("field", "terms"),
    [
        ("least_minutes", {"least_minutes": 61, "most_minutes": 60}),
        ("least_minutes", {"least_minutes": 31, "step_minutes": 15}),
        ("most_minutes", {"most_minutes": 100, "step_minutes": 15}),
        ("household_month_minutes", {"household_month_minutes": 29}),
        ("cancel_free_minutes", {"cancel_free_minutes": 61, "ahead_minutes": 60}),
        ("late_cancel_percent", {"late_cancel_percent": 51}),
        ("walk_in_least_minutes", {"walk_in_least_minutes": 61, "walk_in_hold_minutes": 60}),
    ],
)
def test_a_contradiction_is_named(field: str, terms: dict[str, object]) -> None:
    assert set(errors(**terms)) == {field}


# --- A wish in time


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "field"),
    [
        (NOON, NOON + 30 * MINUTE, None),
        (NOON, NOON + 29 * MINUTE, "ends_at"),
        (NOON, NOON, "ends_at"),
        (NOON, NOON - HOUR, "ends_at"),
        (NOON, NOON + 7 * DAY, None),
        (NOON, NOON + 7 * DAY + MINUTE, "ends_at"),
        (NOON + timedelta(seconds=1), NOON + HOUR, None),
        (NOON, NOON + HOUR + timedelta(microseconds=1), None),
        (NOW - 2 * MINUTE, NOON, None),
        (NOW - 2 * MINUTE - timedelta(seconds=1), NOON, "starts_at"),
        (NOW + 30 * DAY, NOON + 31 * DAY, None),
        (NOW + 30 * DAY + timedelta(seconds=1), NOON + 31 * DAY, "starts_at"),
    ],
)
def test_when_one_may_book(starts_at: datetime, ends_at: datetime, field: str | None) -> None:
    refused = refusal(Terms(), starts_at, ends_at, NOW)
    assert (refused and refused[0]) == field


def test_the_rule_says_the_number_it_is_about() -> None:
    terms = parse_terms({"least_minutes": 60, "most_minutes": 1440, "step_minutes": 15})
    said = [
        refusal(terms, NOON, NOON + 45 * MINUTE, NOW),
        refusal(terms, NOON, NOON + 2 * DAY, NOW),
        refusal(terms, NOON, NOON + 80 * MINUTE, NOW),
        refusal(terms, NOON + 60 * DAY, NOON + 61 * DAY, NOW),
        refusal(Terms(), NOON, NOON + 12 * MINUTE, NOW),
        refusal(Terms(step_minutes=1), NOON, NOON + timedelta(seconds=3601), NOW),
    ]
    assert [rule for _, rule in filter(None, said)] == [
        "must be at least 1 hour after starts_at",
        "must be at most 1 day after starts_at",
        "must be a multiple of 15 minutes",
        "must be at most 30 days ahead",
        "must be at least 30 minutes after starts_at",
        "must be a whole minute",
    ]


def test_a_booking_that_has_begun_may_be_extended() -> None:
    yesterday = NOON - DAY
    assert refusal(Terms(), yesterday, NOON, NOW)
    assert length_refusal(Terms(), yesterday, NOON) is None
    assert length_refusal(Terms(), yesterday, yesterday + 8 * DAY)


def test_a_naive_instant_is_a_mistake() -> None:
    naive = NOON.replace(tzinfo=None)
    for pair in ((naive, NOON), (NOON, naive)):
        with pytest.raises(ValueError, match="aware"):
            refusal(Terms(), *pair, NOW)


# --- Quotas


@pytest.mark.parametrize(
    ("open_count", "month_minutes", "new_minutes", "refused"),
    [
        (0, 0, 60, None),
        (4, 0, 60, None),
        (5, 0, 60, "household-open-quota"),
        (4, 200 * 60 - 60, 60, None),
        (4, 200 * 60 - 60, 61, "household-month-quota"),
        (5, 200 * 60, 60, "household-open-quota"),
    ],
)
def test_how_much_a_household_may_book(
    open_count: int, month_minutes: int, new_minutes: int, refused: str | None
) -> None:
    assert quota_refusal(Terms(), open_count, month_minutes, new_minutes) == refused


# --- Cancelling and not coming: 50 % of 1,001 fen is 500.5, so 501


@pytest.mark.parametrize(
    ("now", "fee_fen"),
    [
        (NOON - DAY, 0),
        (NOON - 30 * MINUTE, 0),
        (NOON - 30 * MINUTE + timedelta(seconds=1), 301),  # 30 % of 1,003 fen is 300.9
        (NOON, 301),
        (NOON + 59 * MINUTE, 301),
        (NOON + HOUR, 502),  # no longer held: 50 % of 1,003 fen is 501.5
        (NOON + DAY, 502),
    ],
)
def test_what_cancelling_costs(now: datetime, fee_fen: int) -> None:
    terms = parse_terms({"late_cancel_percent": 30})
    assert cancel_fee_fen(terms, 1003, NOON, now) == fee_fen


@pytest.mark.parametrize(
    ("percent", "fee_fen"), [(0, 0), (1, 10), (25, 250), (50, 501), (99, 991), (100, 1001)]
)
def test_what_not_coming_costs_is_rounded_half_up(percent: int, fee_fen: int) -> None:
    terms = parse_terms({"no_show_percent": percent, "late_cancel_percent": 0})
    assert no_show_fee_fen(terms, 1001) == fee_fen


@given(
    st.integers(0, 10**7),
    st.integers(0, 100).flatmap(lambda top: st.tuples(st.integers(0, top), st.just(top))),
    st.lists(st.integers(-3 * 1440, 3 * 1440), min_size=2, max_size=2),
)
def test_cancelling_later_never_costs_less_and_never_more_than_not_coming(
    quoted_fen: int, percents: tuple[int, int], minutes: list[int]
) -> None:
    terms = parse_terms({"late_cancel_percent": percents[0], "no_show_percent": percents[1]})
    sooner, later = (
        cancel_fee_fen(terms, quoted_fen, NOON, NOON + n * MINUTE) for n in sorted(minutes)
    )
    assert 0 <= sooner <= later <= no_show_fee_fen(terms, quoted_fen) <= quoted_fen
