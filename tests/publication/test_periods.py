"""A month closes when nothing of it is open, by two people's word, and reopens by two others'."""

from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.cast import NOON
from tests.ledger.till import ask, book, fee, settle_all
from tests.publication.bureau import DECEMBER, MONTH, Bureau

AT = f"ledger/periods/{MONTH}"


def reasons(answer: Any) -> dict[str, int]:
    """What was in the way, and how much of it."""
    problem = answer.get_json()
    assert (answer.status_code, problem["code"]) == (409, "not-ready"), problem
    assert all(reason["look_at"].startswith("/api/v1/") for reason in problem["reasons"])
    return {reason["reason"]: reason["count"] for reason in problem["reasons"]}


def status(bureau: Bureau) -> str:
    """How the month stands."""
    said: str = bureau.sees(AT, "ava")["status"]
    return said


def test_two_people_close_a_month_and_it_is_published(bureau: Bureau) -> None:
    assert bureau.does(f"{AT}/close", "fan", {"reason": "月结"})["status"] == "closing"
    answer = bureau.post(f"{AT}/approve", "fan")
    assert (answer.status_code, answer.get_json()["code"]) == (403, "second-person")
    closed = bureau.does(f"{AT}/approve", "ada")
    assert (closed["status"], closed["editions"]) == ("closed", 1)
    told = [(e["kind"], e["by"], e["reason"]) for e in closed["events"]]
    assert told == [("closing", "fan", "月结"), ("closed", "ada", None)]
    assert bureau.sees("ledger/periods", "ava")[0]["editions"] == 1
    for again in ("close", "approve"):
        assert bureau.post(f"{AT}/{again}", "ada").get_json()["code"] == "period-closed"


def test_what_stands_in_the_way_is_told(bureau: Bureau) -> None:
    book(bureau.session, fee(50, source="parcel"), fee(51, source="parcel", income="helipad"))
    assert reasons(bureau.post(f"{AT}/close", "fan")) == {"unsettled": 2}
    bureau.settles()
    assert reasons(bureau.post(f"{AT}/close", "fan")) == {"set-aside": 1}
    assert status(bureau) == "open"
    assert bureau.post(f"{AT}/close", "fan", at=NOON).get_json()["reasons"][0] == {
        "reason": "month-not-over",
        "count": 1,
        "look_at": "/api/v1/ledger/periods",
    }


def test_a_fact_of_the_next_month_stands_in_no_ones_way(bureau: Bureau) -> None:
    book(bureau.session, fee(50, source="parcel", occurred_at=DECEMBER))
    assert bureau.closes()["status"] == "closed"


def test_months_close_in_order_and_reopen_in_the_opposite(bureau: Bureau) -> None:
    late = DECEMBER.replace(year=2027, month=1)
    bureau.books(fee(50, source="parcel", occurred_at=DECEMBER), at=DECEMBER)
    answer = bureau.post("ledger/periods/2026-12/close", "fan", at=late)
    assert reasons(answer) == {"earlier-month-open": 1}
    bureau.closes()
    assert bureau.post("ledger/periods/2026-12/close", "fan", at=late).status_code == 200
    assert bureau.post("ledger/periods/2026-12/approve", "ada", at=late).status_code == 200
    answer = bureau.post(f"{AT}/reopen", "fan", {"reason": "漏记"})
    assert answer.get_json()["code"] == "later-month-closed"


def test_a_month_before_a_closed_one_appears_closed(bureau: Bureau) -> None:
    """What is found of it is posted into the open month: it must not move a published opening."""
    bureau.closes()
    september = NOON.replace(month=9)
    bureau.books(fee(50, source="parcel", occurred_at=september), at=DECEMBER)
    sql = """
        SELECT DISTINCT occurred_on::text, posted_on::text FROM journal_entry
        WHERE occurred_on < '2026-10-01'
    """
    assert ask(bureau.session, sql) == [("2026-09-23", "2026-12-01")]


def test_what_is_unsealed_or_unproved_is_in_the_way(bureau: Bureau) -> None:
    bureau.session.execute(text("ALTER TABLE account_month DISABLE TRIGGER USER"))
    bureau.session.execute(text("UPDATE account_month SET debit_fen = debit_fen + 1"))
    bureau.session.commit()
    assert reasons(bureau.post(f"{AT}/close", "fan")) == {"unproved: rollups": 1}
    book(bureau.session, fee(50, source="parcel"))
    settle_all()
    assert reasons(bureau.post(f"{AT}/close", "fan")) == {"unsealed": 3, "unproved: rollups": 1}


def test_what_came_between_the_two_words_is_seen(bureau: Bureau) -> None:
    bureau.does(f"{AT}/close", "fan")
    book(bureau.session, fee(50, source="parcel"))
    assert reasons(bureau.post(f"{AT}/approve", "ada")) == {"unsettled": 1}
    assert status(bureau) == "closing"
    bureau.settles()
    assert bureau.does(f"{AT}/approve", "ada")["status"] == "closed"


def test_a_close_can_be_given_up(bureau: Bureau) -> None:
    bureau.does(f"{AT}/close", "fan")
    assert bureau.post(f"{AT}/withdraw", "fan").status_code == 422
    assert bureau.does(f"{AT}/withdraw", "fan", {"reason": "等银行"})["status"] == "open"


def test_reopening_takes_a_reason_and_another_person(bureau: Bureau) -> None:
    assert bureau.post(f"{AT}/reopen", "fan", {"reason": "早"}).get_json()["code"] == "period-open"
    bureau.closes()
    assert bureau.post(f"{AT}/reopen/approve", "ada").get_json()["code"] == "nobody-asked"
    assert bureau.post(f"{AT}/reopen", "fan").status_code == 422
    bureau.does(f"{AT}/reopen", "fan", {"reason": "漏记"})
    assert status(bureau) == "closed"
    assert bureau.post(f"{AT}/reopen", "ada", {"reason": "我也"}).get_json()["code"] == (
        "already-asked"
    )
    assert bureau.post(f"{AT}/reopen/approve", "fan").get_json()["code"] == "second-person"
    bureau.does(f"{AT}/reopen/decline", "ada", {"reason": "不必"})
    bureau.does(f"{AT}/reopen", "fan", {"reason": "真的漏记"})
    assert bureau.does(f"{AT}/reopen/approve", "ada")["status"] == "open"
    assert bureau.closes()["editions"] == 2


NO_MONTHS = ["2026-13", "2026-1", "1999-01", "november", "2026-11-01", "٢٠٢٦-11"]


@pytest.mark.parametrize("month", NO_MONTHS)
def test_what_is_no_month_is_not_found(bureau: Bureau, month: str) -> None:
    assert bureau.post(f"ledger/periods/{month}/close", "fan").status_code == 404


def test_the_database_itself_wants_two_people_and_the_order(bureau: Bureau) -> None:
    """As its owner, by plain SQL."""
    [(fan,), (ada,)] = ask(
        bureau.session, "SELECT id FROM person WHERE username IN ('fan', 'ada') ORDER BY id"
    )
    said = "INSERT INTO period_event (month, kind, person_id, reason, recorded_at) VALUES"
    for attack, error in (
        ("UPDATE period SET status = 'closed'", psycopg.errors.RestrictViolation),
        (f"{said} ('2026-11-01', 'closed', {ada}, '', now())", psycopg.errors.IntegrityError),
        (
            f"{said} ('2026-11-01', 'closing', {fan}, '', now());"
            f"{said} ('2026-11-01', 'closed', {fan}, '', now())",
            psycopg.errors.CheckViolation,
        ),
        (
            f"{said} ('2026-10-01', 'closing', {fan}, '', now());"
            f"{said} ('2026-11-01', 'closing', {fan}, '', now());"
            f"{said} ('2026-11-01', 'closed', {ada}, '', now())",
            psycopg.errors.IntegrityError,
        ),
        (f"{said} ('2026-11-01', 'reopened', {ada}, '', now())", psycopg.errors.IntegrityError),
        ("INSERT INTO period VALUES ('2026-08-01', 'closed')", psycopg.errors.RestrictViolation),
    ):
        with pytest.raises(DBAPIError) as refused:
            bureau.session.execute(text(attack))
        assert isinstance(refused.value.orig, error), (attack, refused.value)
        bureau.session.rollback()
    bureau.closes()
    for table in ("period_event", "publication"):
        for attack in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
            with pytest.raises(DBAPIError, match="the ledger only adds"):
                bureau.session.execute(text(attack))
            bureau.session.rollback()
    with pytest.raises(DBAPIError, match="the ledger only adds"):
        bureau.session.execute(text("UPDATE period_event SET reason = 'x'"))
    bureau.session.rollback()
