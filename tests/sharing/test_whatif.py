"""A month priced again: the same rules change nothing, others change what they should."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from sharing.whatif import MOST_HOUSEHOLDS, Repriced, compare
from tests.cast import NOON, RULES, Community

ZONE = ZoneInfo("Asia/Shanghai")
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
OCTOBER = datetime(2026, 10, 14, 9, 0, tzinfo=ZONE)
"""Nine in the morning of a Wednesday of last month."""

FEN = st.integers(0, 5_000)
STAYS = st.lists(
    st.builds(
        Repriced,
        st.integers(0, 24 * 31).map(lambda hours: OCTOBER + hours * HOUR),
        st.none() | st.integers(1, 40),
        FEN,
        FEN,
    ),
    max_size=120,
)


@given(STAYS)
def test_every_sum_is_the_sum_of_the_stays(stays: list[Repriced]) -> None:
    said = compare(stays)
    differences = [stay.proposed_fen - stay.actual_fen for stay in stays]
    assert said["difference_fen"] == sum(differences)
    assert said["proposed_fen"] - said["actual_fen"] == sum(differences)
    assert said["pay_more"]["fen"] == sum(fen for fen in differences if fen > 0)
    assert said["pay_less"]["fen"] == sum(fen for fen in differences if fen < 0)
    counted = said["pay_more"]["stays"], said["pay_less"]["stays"], said["same"]
    signs = [(fen > 0) - (fen < 0) for fen in differences]
    assert counted == (signs.count(1), signs.count(-1), signs.count(0))
    assert sum(counted) == said["stays"] == len(stays)
    assert sum(said["by_hour"]) == sum(said["by_weekday"]) == sum(differences)


@given(STAYS)
def test_the_households_changed_most_are_named_by_a_label_alone(stays: list[Repriced]) -> None:
    of_household: dict[int, int] = {}
    for stay in stays:
        if stay.household_id is not None:
            change = stay.proposed_fen - stay.actual_fen
            of_household[stay.household_id] = of_household.get(stay.household_id, 0) + change
    most = sorted((abs(fen) for fen in of_household.values() if fen), reverse=True)
    said = compare(stays)["households"]
    assert [abs(row["difference_fen"]) for row in said] == most[:MOST_HOUSEHOLDS]
    assert [row["household"] for row in said] == [f"H{n}" for n in range(1, len(said) + 1)]


def what_if(community: Community, as_name: str = "fan", **asked: Any) -> Any:
    """What the books' people are told about tariff 1."""
    with clock.at(NOON):
        return community.client.post(
            "/api/v1/tariffs/1/what-if", json=asked, headers=community.as_person(as_name)
        )


def stay(community: Community, plate: str, entered_at: datetime, lasts: timedelta) -> None:
    """A vehicle comes and leaves; what it owes is paid in cash at the barrier."""
    stay_id = community.knock("entry", plate, entered_at)["decision"]["stay_id"]
    left = community.knock("exit", plate, entered_at + lasts)["decision"]
    if left["reason"] == "payment-due":
        pay(community, stay_id, entered_at + lasts)
        community.knock("exit", plate, entered_at + lasts + MINUTE)


def pay(community: Community, stay_id: int, at: datetime) -> None:
    """The desk takes what a stay owes."""
    with clock.at(at):
        headers = community.as_person("olga") | {"Idempotency-Key": f"{stay_id}-{at}"}
        paid = community.client.post(
            "/api/v1/payments", json={"stay_id": stay_id, "method": "cash"}, headers=headers
        )
    assert paid.status_code == 201


def a_month(community: Community) -> None:
    """October of the garage: nothing, 300, 500, one paid before leaving (400), one over night."""
    stay(community, "川C00001", OCTOBER, 10 * MINUTE)
    stay(community, "川C00002", OCTOBER, 50 * MINUTE)
    stay(community, "川A12345", OCTOBER + 24 * HOUR, 2 * HOUR)
    entered_at = OCTOBER + 48 * HOUR
    stay_id = community.knock("entry", "川C00003", entered_at)["decision"]["stay_id"]
    pay(community, stay_id, entered_at + 89 * MINUTE)
    community.knock("exit", "川C00003", entered_at + 99 * MINUTE)
    stay(community, "川B22222", OCTOBER + 12 * HOUR, 13 * HOUR)


def test_its_own_rules_change_nothing_and_the_sum_is_what_was_charged(
    community: Community, session: Session
) -> None:
    a_month(community)
    said = what_if(community).get_json()
    charged = session.execute(
        text("SELECT count(*), sum(fee_fen) FROM stay WHERE status = 'closed'")
    ).one()
    assert (said["stays"], said["actual_fen"]) == tuple(charged)
    assert (said["lot"], said["month"]) == ("B2", "2026-10")
    assert said["same"] == 5
    assert said["difference_fen"] == 0
    assert said["households"] == []


def test_another_price_is_told_stay_by_stay(community: Community) -> None:
    """First hour 500 instead of 300, every further half hour 50 instead of 100.

    10 min: free, as before. 50 min: 300 -> 500. 2 h: 300 + 2*100 = 500 -> 500 + 2*50 = 600.
    89 min, paid then: 300 + 100 = 400 -> 500 + 50 = 550. 21:00 to 10:00 (13 h: the first hour and
    24 half hours): 300 + 4*100 = 700 before midnight, capped 1500 after it -> 500 + 4*50 = 700
    and 20*50 = 1000.
    """
    a_month(community)
    rules = asdict(RULES) | {"first_fen": 500, "unit_fen": 50}
    said = what_if(community, "ava", month="2026-10", rules=rules).get_json()
    assert said["actual_fen"] == 0 + 300 + 500 + 400 + (700 + 1500)
    assert said["proposed_fen"] == 0 + 500 + 600 + 550 + (700 + 1000)
    assert said["difference_fen"] == -50
    assert said["pay_more"] == {"stays": 3, "fen": 450}
    assert said["pay_less"] == {"stays": 1, "fen": -500}
    assert said["same"] == 1
    assert said["households"] == [
        {"household": "H1", "stays": 1, "difference_fen": -500},
        {"household": "H2", "stays": 1, "difference_fen": 100},
    ]
    assert {hour: fen for hour, fen in enumerate(said["by_hour"]) if fen} == {9: 450, 21: -500}
    assert said["by_weekday"] == [0, 0, 200 - 500, 100, 150, 0, 0]


def test_a_permit_covers_under_the_proposed_rules_what_it_covered(
    community: Community, session: Session
) -> None:
    session.execute(
        text("""
        WITH p AS (INSERT INTO permit (lot_id, kind, starts_at, ends_at)
                   SELECT id, 'monthly', :since, :until FROM lot WHERE code = 'B2' RETURNING id)
        INSERT INTO permit_plate (permit_id, plate, plate_color)
        SELECT id, '川C00009', 'blue' FROM p
        """),
        {"since": OCTOBER - 24 * HOUR, "until": OCTOBER + HOUR},
    )
    session.commit()
    stay(community, "川C00009", OCTOBER, 2 * HOUR)
    dearer = asdict(RULES) | {"first_fen": 900}
    said = what_if(community, rules=dearer).get_json()
    assert (said["actual_fen"], said["proposed_fen"]) == (300, 900)


def test_a_stay_belongs_to_the_month_in_which_it_began_here(community: Community) -> None:
    midnight = datetime(2026, 11, 1, tzinfo=ZONE)
    stay(community, "川C00001", midnight - 10 * MINUTE, HOUR)
    stay(community, "川C00002", midnight, HOUR)
    months: Mapping[str, int] = {
        month: what_if(community, month=month).get_json()["stays"]
        for month in ("2026-09", "2026-10", "2026-11")
    }
    assert months == {"2026-09": 0, "2026-10": 1, "2026-11": 1}


def test_what_cannot_be_is_refused_by_name(community: Community) -> None:
    rules = asdict(RULES) | {"unit_minutes": 0, "colour": "red"}
    broken = what_if(community, rules=rules)
    assert broken.status_code == 422
    assert set(broken.get_json()["errors"]) == {"rules.unit_minutes", "rules.colour"}
    wrong_month = what_if(community, month="2026-00")
    assert (wrong_month.status_code, set(wrong_month.get_json()["errors"])) == (422, {"month"})
    with clock.at(NOON):
        nothing = community.client.post(
            "/api/v1/tariffs/99/what-if", json={}, headers=community.as_person("ada")
        )
    assert nothing.status_code == 404
