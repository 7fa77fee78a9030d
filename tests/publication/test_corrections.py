"""What changes a published month drafts its note by itself; another person publishes it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.db import atomic
from core.errors import Problem
from ledger import proof, reversals
from publication import corrections
from tests.ledger.till import ask, book, fee, settle_all
from tests.publication.bureau import DECEMBER, MONTH, Bureau

DRAFTS = "ledger/corrections?status=draft"
AS_A_LATE_FACT = "SELECT pg_advisory_xact_lock_shared('correction'::regclass::oid::bigint)"


@pytest.fixture
def closed(bureau: Bureau) -> Bureau:
    """The bureau after the month was published."""
    bureau.closes()
    return bureau


def reverse(bureau: Bureau, entry: int, name: str = "fan") -> dict[str, Any]:
    """Somebody takes an entry back."""
    said: dict[str, Any] = bureau.does(
        f"ledger/entries/{entry}/reverse", name, {"reason": "车牌识别错误"}
    )
    return said


def changes(note: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Before and after of each account."""
    return {f["account"]: (f["before_fen"], f["after_fen"]) for f in note["figures"]}


def moved(bureau: Bureau, account: str) -> int:
    """What November moved on an account, credit positive, by the books."""
    return bureau.count(f"""
        SELECT -sum(amount_fen) FROM posting WHERE account = '{account}'
            AND posted_on < '2026-12-01'
    """)


def test_all_books_of_a_charge_are_taken_back_together(closed: Bureau) -> None:
    done = reverse(closed, 2)
    standing = """
        SELECT array_agg(id ORDER BY id) FROM journal_entry
        WHERE (source, source_id) = ('charge', 1) AND reverses_id IS NULL
    """
    assert [(done["entries"],)] == ask(closed.session, standing)
    back = "SELECT DISTINCT book FROM journal_entry WHERE reverses_id IS NOT NULL ORDER BY 1"
    assert ask(closed.session, back) == [("fund",), ("owners",), ("provider",)]
    for entry, code in ((2, "already-reversed"), (done["reversals"][0], "is-a-reversal")):
        answer = closed.post(f"ledger/entries/{entry}/reverse", "fan", {"reason": "又错"})
        assert (answer.status_code, answer.get_json()["code"]) == (409, code)
    assert closed.post("ledger/entries/1/reverse", "fan").status_code == 422
    assert closed.post("ledger/entries/1/reverse", "fan", {"reason": "x" * 201}).status_code == 422
    closed.settles()
    assert proof.verify(closed.session).ok


def test_a_reversal_that_is_sent_twice_is_done_once(closed: Bureau) -> None:
    path, body = "ledger/entries/2/reverse", {"reason": "录错"}
    first = closed.post(path, "fan", body)
    closed.sent -= 1
    again = closed.post(path, "fan", body)
    assert (again.status_code, again.get_json()) == (201, first.get_json())
    assert again.headers["Idempotency-Replayed"] == "true"
    assert closed.count("SELECT count(*) FROM reversal") == 3


def test_a_reversal_drafts_its_note_and_another_person_publishes_it(closed: Bureau) -> None:
    before = moved(closed, "430101")
    done = reverse(closed, 2)
    [draft] = closed.sees(DRAFTS, "ava")
    assert (draft["about"], draft["reason"], draft["reversed_by"]) == (
        "charge:1",
        "车牌识别错误",
        "fan",
    )
    assert draft["entries"] == done["reversals"]
    assert changes(draft)["430101"] == (before, before - 561)
    assert closed.sees(f"publications/{MONTH}")["corrections"] == []
    answer = closed.post("ledger/corrections/1/publish", "fan")
    assert (answer.status_code, answer.get_json()["code"]) == (403, "second-person")
    published = closed.does("ledger/corrections/1/publish", "ada")
    assert changes(published) == changes(draft)
    assert closed.sees(DRAFTS, "ava") == []
    told = closed.sees(f"publications/{MONTH}")
    assert told["corrected"]
    [note] = told["corrections"]
    assert (note["reason"], note["approved_by"], note["edition"]) == ("车牌识别错误", "ada", 1)
    assert "车牌识别错误" in closed.get(f"publications/{MONTH}/page").get_data(as_text=True)
    assert closed.post("ledger/corrections/1/publish", "ada").get_json()["code"] == (
        "already-published"
    )


def test_a_late_fact_drafts_a_note_that_needs_a_reason(closed: Bureau) -> None:
    before = moved(closed, "430101")
    closed.books(fee(60, 1000, source="parcel"), fee(61, 500, source="parcel"), at=DECEMBER)
    [draft] = closed.sees(DRAFTS, "ava")
    assert (draft["about"], draft["reason"], len(draft["entries"])) == ("late", None, 6)
    assert changes(draft)["430101"] == (before, before + 700 + 350)
    assert closed.post("ledger/corrections/1/publish", "fan").status_code == 422
    closed.does("ledger/corrections/1/publish", "fan", {"reason": "道闸离线三天"})
    closed.books(fee(62, 100, source="parcel"), at=DECEMBER)
    [more] = closed.sees(DRAFTS, "ava")
    assert changes(more)["430101"] == (before + 1050, before + 1120)


def test_a_fact_of_its_own_month_drafts_nothing(closed: Bureau) -> None:
    closed.books(fee(60, source="parcel", occurred_at=DECEMBER), at=DECEMBER)
    assert closed.sees("ledger/corrections", "ava") == []


def test_as_published_and_as_known_now(closed: Bureau) -> None:
    before = moved(closed, "430101")
    closed.books(fee(60, 1000, source="parcel"), at=DECEMBER)
    late = closed.count("SELECT max(id) FROM journal_entry WHERE book = 'fund'")
    reverse(closed, 2)
    reverse(closed, late)
    told = closed.sees(f"ledger/periods/{MONTH}/known", "ava")
    [income] = [a for a in told["accounts"] if a["account"] == "430101"]
    assert (income["published_fen"], income["known_fen"]) == (-before, -before + 561)
    assert sorted({b["reason"] or "" for b in told["between"]}) == ["", "车牌识别错误"]
    assert len(told["between"]) == 3 * 3
    assert {b["occurred_on"] for b in told["between"]} == {
        "2026-11-23",  # the late fact
        "2026-11-24",  # taken back as of its own day
        "2026-12-01",  # taken back as of the day that the late fact was posted on
    }


def test_a_next_edition_waits_for_its_notes_and_lists_them(closed: Bureau) -> None:
    before = moved(closed, "430101")
    closed.reopens()
    closed.books(fee(60, 1000, source="parcel"), at=DECEMBER)
    assert moved(closed, "430101") == before + 700
    answer = closed.post(f"ledger/periods/{MONTH}/close", "fan")
    assert [r["reason"] for r in answer.get_json()["reasons"]] == ["correction-unpublished"]
    closed.does("ledger/corrections/1/publish", "ada", {"reason": "漏记"})
    closed.closes()
    told = closed.sees(f"publications/{MONTH}")
    assert told["figures"]["fund"]["income_fen"] == before + 700
    assert [n["reason"] for n in told["figures"]["corrections"]] == ["漏记"]
    known = closed.sees(f"ledger/periods/{MONTH}/known", "ava")
    assert all(a["published_fen"] == a["known_fen"] for a in known["accounts"])
    first = closed.sees(f"ledger/periods/{MONTH}/known?edition=1", "ava")
    [income] = [a for a in first["accounts"] if a["account"] == "430101"]
    assert (income["published_fen"], income["known_fen"]) == (-before, -before - 700)


def test_only_triggers_draft_and_nobody_rewrites(closed: Bureau) -> None:
    reverse(closed, 2)
    closed.does("ledger/corrections/1/publish", "ada")
    closed.books(fee(60, source="parcel"), at=DECEMBER)
    [(fan,)] = ask(closed.session, "SELECT id FROM person WHERE username = 'fan'")
    reverse(closed, 6, "fan")
    by_who = f"reason = 'x', figures = '[]', published_by = {fan}, published_at = now()"
    for attack, why in (
        ("INSERT INTO correction SELECT * FROM correction", "the ledger only adds"),
        ("INSERT INTO correction_entry VALUES (1, 1)", "the ledger only adds"),
        ("DELETE FROM correction", "the ledger only adds"),
        ("DELETE FROM correction_entry", "the ledger only adds"),
        ("UPDATE correction SET reversed_by = NULL", "the ledger only adds"),
        ("UPDATE correction SET month = '2026-10-01'", "the ledger only adds"),
        ("UPDATE correction SET reason = 'x' WHERE id = 1", "is published"),
        (f"UPDATE correction SET {by_who} WHERE id = 3", "second_person"),
        ("UPDATE correction SET published_at = now() WHERE id = 2", "published"),
        ("UPDATE reversal SET person_id = person_id + 1", "the ledger only adds"),
    ):
        with pytest.raises(DBAPIError, match=why):
            closed.session.execute(text(attack))
        closed.session.rollback()


def test_one_of_many_who_reverse_at_once_does(app: Flask, closed: Bureau) -> None:
    fan = closed.count("SELECT id FROM person WHERE username = 'fan'")

    def attempt() -> str:
        with app.app_context():
            try:
                atomic(reversals.reverse, 2, "录错", fan)
            except Problem as problem:
                return problem.code
            return "done"

    with ThreadPoolExecutor(8) as pool:
        said = [future.result() for future in [pool.submit(attempt) for _ in range(8)]]
    assert sorted(said) == ["already-reversed"] * 7 + ["done"]
    assert closed.count("SELECT count(*) FROM correction_entry") == 3


def test_a_note_misses_no_late_fact_that_comes_while_it_is_published(closed: Bureau) -> None:
    book(closed.session, fee(60, 1000, source="parcel"))
    settle_all()
    ada = closed.count("SELECT id FROM person WHERE username = 'ada'")
    with Session(closed.session.get_bind()) as late:
        late.execute(
            text("SELECT pg_advisory_xact_lock_shared('correction'::regclass::oid::bigint)")
        )
        closed.session.execute(text("SET LOCAL lock_timeout = '100ms'"))
        with pytest.raises(psycopg.errors.LockNotAvailable):
            corrections.publish(closed.session, 1, ada, "离线")
        closed.session.rollback()


def test_what_is_taken_back_before_its_month_closes_stands_in_it(bureau: Bureau) -> None:
    before = moved(bureau, "430101")
    reverse(bureau, 2)
    assert moved(bureau, "430101") < before
    bureau.settles()
    bureau.closes()
    told = bureau.sees(f"publications/{MONTH}")["figures"]["fund"]
    assert told["income_fen"] == moved(bureau, "430101")
    assert bureau.sees("ledger/corrections", "ava") == []


def test_a_payment_is_given_back_and_not_only_taken_out_of_the_books(closed: Bureau) -> None:
    answer = closed.post("ledger/entries/4/reverse", "fan", {"reason": "录错"})
    assert (answer.status_code, answer.get_json()["code"]) == (409, "corrected-otherwise")
    assert closed.count("SELECT count(*) FROM reversal") == 0


def test_who_may_not(closed: Bureau) -> None:
    reverse(closed, 2)
    for name in ("ana", "olga", "ava"):
        for path in (
            "ledger/corrections/1/publish",
            "ledger/entries/1/reverse",
            f"ledger/periods/{MONTH}/reopen",
        ):
            assert closed.post(path, name, {"reason": "x"}).status_code == 403
    assert closed.get("ledger/corrections", "ana").status_code == 403
    assert closed.get(f"ledger/periods/{MONTH}/known").status_code == 401
