"""Beancount and hledger take the journal as it is, and find the balances that we say."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from beancount import loader
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from reports import beancount, hledger, journal_rows
from reports.balances import Known, balances
from reports.plain_text import ChartLine, Journal, JournalLine, JournalRow
from tests.ledger.till import ask, book, fee, seal_all, settle_all
from tests.reports import readers
from tests.reports.months import HOSTILE, live_through

WRITERS: dict[str, Callable[[Journal], Iterator[str]]] = {
    "beancount": beancount.written,
    "hledger": hledger.written,
}
READERS = {"beancount": readers.by_beancount, "hledger": readers.by_hledger}
PERIODS = [
    (None, date(2026, 11, 30)),
    (date(2026, 10, 1), date(2026, 10, 31)),
    (date(2026, 10, 6), date(2026, 11, 22)),
    (date(2026, 12, 1), date(2026, 12, 31)),
]


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize(("since", "until"), PERIODS)
def test_another_program_finds_the_balances_of_ours(
    session: Session, tmp_path: Path, form: str, since: date | None, until: date
) -> None:
    live_through(session)
    for of_book in (None, "owners", "fund", "provider"):
        journal = journal_rows.journal_of(session, since, until, of_book)
        found = READERS[form](readers.saved(tmp_path / "journal", WRITERS[form](journal)))
        wanted = balances(session, until, of_book)
        assert {code: fen for code, fen in found.items() if fen or code in wanted} == wanted
        assert any(wanted.values())


@pytest.mark.parametrize("form", WRITERS)
def test_a_journal_that_lost_an_entry_is_refused(
    session: Session, tmp_path: Path, form: str
) -> None:
    live_through(session)
    whole = "".join(WRITERS[form](journal_rows.journal_of(session, None, date(2026, 11, 30))))
    paragraphs = whole.split("\n\n")
    lost = next(n for n, text in enumerate(paragraphs) if "charge:1" in text)
    kept = "\n\n".join(paragraphs[:lost] + paragraphs[lost + 1 :])
    cut = readers.saved(tmp_path / "journal", [kept])
    with pytest.raises(AssertionError):
        READERS[form](cut)


@pytest.mark.parametrize("form", WRITERS)
def test_the_same_entries_are_the_same_bytes(session: Session, form: str) -> None:
    """Up to an entry: what is recorded, sealed or closed later changes nothing."""
    live_through(session)
    [(last,)] = ask(session, "SELECT max(id) FROM journal_entry")
    known = Known(last_entry=last)

    def written() -> str:
        journal = journal_rows.journal_of(session, None, date(2026, 11, 30), known=known)
        return "".join(WRITERS[form](journal))

    first = written()
    book(session, fee(99, 12345))
    settle_all()
    seal_all()
    assert written() == first
    assert "12345" not in first


def test_what_was_known_is_what_was_recorded_by_then(session: Session) -> None:
    live_through(session)
    [(instant,)] = ask(session, "SELECT min(recorded_at) FROM journal_entry")
    known = Known(at=instant)
    early = list(journal_rows.entries(session, None, date(2026, 11, 30), known=known))
    assert {entry.source for entry in early} == {"charge:1", "charge:2", "payment:1"}
    assert journal_rows.count(session, None, date(2026, 11, 30), known=known) == len(early)
    owners = balances(session, date(2026, 11, 30), "owners", known)
    assert owners == {"1001": 801, "1121": 1000, "220902": -540, "220903": -1261}


def test_entries_come_by_date_and_then_number(session: Session) -> None:
    live_through(session)
    found = list(journal_rows.entries(session, date(2026, 10, 1), date(2026, 11, 30)))
    assert [(e.posted_on, e.id) for e in found] == sorted((e.posted_on, e.id) for e in found)
    assert {e.posted_on.month for e in found} == {10, 11}
    sealed = seal_all()
    assert sealed > len(found)
    again = list(journal_rows.entries(session, date(2026, 10, 1), date(2026, 11, 30)))
    assert again == found


def test_a_hostile_memo_stays_a_memo(session: Session, tmp_path: Path) -> None:
    live_through(session)
    journal = journal_rows.journal_of(session, None, date(2026, 11, 30), "fund")
    path = readers.saved(tmp_path / "journal", beancount.written(journal))
    entries, errors, _options = loader.load_file(str(path))
    assert errors == []
    narrations = [getattr(entry, "narration", "") for entry in entries]
    assert HOSTILE.replace("\n", " ") in narrations


MEMOS = st.text(st.characters(codec="utf-8"), max_size=60)


@hypothesis_settings(max_examples=20)
@given(memos=st.lists(MEMOS, min_size=1, max_size=20), name=MEMOS, fen=st.integers(1, 10**15))
def test_any_text_loads(
    tmp_path_factory: pytest.TempPathFactory, memos: list[str], name: str, fen: int
) -> None:
    chart = (
        ChartLine("1001", "owners", name, name, "asset"),
        ChartLine("4301", "owners", "收入", "", "income"),
    )
    day = date(2026, 11, 1)
    lines = (JournalLine("1001", "household:1", fen), JournalLine("4301", None, -fen))
    entries = [
        JournalRow(n, "owners", day, day, "charge:1", "settle", memo, None, b"\x01" * 32, lines)
        for n, memo in enumerate(memos)
    ]
    closing = {"1001": fen * len(memos), "4301": -fen * len(memos)}
    path = tmp_path_factory.mktemp("any") / "journal"
    for form, written in WRITERS.items():
        journal = Journal(None, day, chart, {}, closing, entries, memos)
        assert READERS[form](readers.saved(path, written(journal))) == closing
