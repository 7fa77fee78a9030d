"""Files of the books: the same figures in every one, however many entries."""

import csv
import gc
import io
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from flask import Flask
from openpyxl.workbook import Workbook
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.db import snapshot
from ledger.accounts import OWNERS
from reports import journal_rows, workbook
from reports.balances import balances
from reports.exports import Wanted, export
from reports.plain_text import JournalRow
from reports.workbook import TYPES
from tests.cast import Community
from tests.ledger.till import ask
from tests.reports import formulas, readers
from tests.reports.conftest import Ask
from tests.reports.months import HOSTILE, live_through

UNTIL = date(2026, 11, 30)
DAYS = {"since": "2026-10-01", "to": "2026-11-30"}


def test_csv_says_yuan_and_fen_and_no_formula(get: Ask, session: Session) -> None:
    answer = get("ava", "export", format="csv", to="2026-11-30")
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.get_data().startswith(b"\xef\xbb\xbf")
    table = list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))
    net: dict[str, int] = defaultdict(int)
    for row in table:
        for side in ("借方", "贷方"):
            yuan, fen = row[f"{side}(元)"], row[f"{side}(分)"]
            assert yuan == f"{int(fen) // 100}.{int(fen) % 100:02d}"
        net[row["科目代码"]] += int(row["借方(分)"]) - int(row["贷方(分)"])
    assert net == balances(session, UNTIL)
    session.rollback()
    memos = {row["摘要"] for row in table}
    assert f"'{HOSTILE}" in memos
    assert answer.headers["X-Entries"] == str(len({row["凭证号"] for row in table}))
    assert not [cell for row in table for cell in row.values() if cell.startswith(("=", "+", "@"))]
    assert "attachment" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize("form", ["beancount", "hledger"])
def test_the_text_that_is_sent_loads_and_agrees(
    get: Ask, report: Any, tmp_path: Path, form: str
) -> None:
    answer = get("fan", "export", format=form, **DAYS)
    path = tmp_path / "journal"
    path.write_bytes(answer.get_data())
    found = {"beancount": readers.by_beancount, "hledger": readers.by_hledger}[form](path)
    trial = report("trial-balance", as_of="2026-11-30")
    said = {row["account"]: row["debit_fen"] - row["credit_fen"] for row in trial["rows"]}
    assert {code: fen for code, fen in found.items() if fen} == {
        code: fen for code, fen in said.items() if fen
    }


def opened(data: bytes, *, values: bool) -> Workbook:
    """The workbook as a program that does not reckon sees it, or its formulas."""
    return openpyxl.load_workbook(io.BytesIO(data), data_only=values)


@pytest.mark.parametrize("query", [DAYS, DAYS | {"book": "fund"}, {"to": "2026-09-29"}])
def test_formulas_of_the_workbook_come_to_what_is_stored(get: Ask, query: dict[str, str]) -> None:
    data = get("fan", "export", format="xlsx", **query).get_data()
    said, reckoned = opened(data, values=True), opened(data, values=False)
    assert said.sheetnames == ["汇总", "明细", "科目余额", "说明"]
    found = 0
    for sheet in reckoned:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    found += 1
                    cached = said[sheet.title][cell.coordinate].value
                    assert round(formulas.value(sheet, cell.coordinate) * 100) == round(
                        cached * 100
                    ), (sheet.title, cell.coordinate)
    assert found >= 10


def test_totals_of_the_workbook_are_those_of_the_books(get: Ask, session: Session) -> None:
    book = opened(get("fan", "export", format="xlsx", **DAYS).get_data(), values=True)
    [details, summary, accounts] = (book[name] for name in ("明细", "汇总", "科目余额"))
    headers = [cell.value for cell in details[1]]
    debit = headers.index("借方(分)") + 1
    [(fen,)] = ask(
        session,
        "SELECT sum(amount_fen) FROM posting WHERE amount_fen > 0 AND posted_on >= '2026-10-01'",
    )
    assert details.cell(details.max_row, debit).value == fen
    assert details.cell(details.max_row, debit - 2).value == pytest.approx(int(fen) / 100)
    closing = {
        accounts.cell(row, 2).value: accounts.cell(row, 9).value
        for row in range(2, accounts.max_row)
    }
    assert closing == balances(session, UNTIL)
    session.rollback()
    assert [cell.value for cell in summary[1]][4:] == ["2026-10", "2026-11", "合计(元)", "合计(分)"]
    assert {row[3].value for row in summary.iter_rows(2) if row[3].value} <= set(TYPES.values())
    left = [cell.value for cell in summary[summary.max_row]]
    income = {("fund", 2): 300 + 233 - 80, ("provider", 2): 150 + 100 - 40}
    assert left[-1] == sum(income.values()) - 250 - 12
    notes = " ".join(str(row[0].value) for row in book["说明"].iter_rows())
    assert "not settled yet: 0" in notes


def test_a_text_in_the_workbook_is_no_formula(get: Ask) -> None:
    sheet = opened(get("fan", "export", format="xlsx").get_data(), values=False)["明细"]
    memos = [cell for row in sheet.iter_rows(2) for cell in row if "cmd|" in str(cell.value)]
    assert [cell.data_type for cell in memos] == ["s", "s"]
    assert all(str(cell.value).startswith("'=") for cell in memos)


def test_a_workbook_for_too_many_postings_is_refused(
    get: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbook, "MOST_ROWS", 10)
    answer = get("fan", "export", format="xlsx")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "too-many-postings")
    assert get("fan", "export", format="csv").status_code == 200


def test_the_command_writes_the_same_and_tells_how_far_it_is(
    app: Flask, get: Ask, tmp_path: Path
) -> None:
    out = tmp_path / "november.csv"
    said = app.test_cli_runner().invoke(
        args=["export", "--to", "2026-11-30", "--format", "csv", "--out", str(out)]
    )
    assert said.exit_code == 0, said.output
    sent = get("fan", "export", format="csv", to="2026-11-30")
    assert out.read_bytes() == sent.get_data()
    count = sent.headers["X-Entries"]
    assert f"{count} of {count} entries, 100 %" in said.stderr
    assert list(tmp_path.iterdir()) == [out]
    wrong = app.test_cli_runner().invoke(
        args=["export", "--from=2026-12-01", "--to=2026-11-30", "--format=csv", f"--out={out}"]
    )
    assert wrong.exit_code == 2
    assert out.read_bytes() == sent.get_data()


MANY = """
INSERT INTO journal_entry (book, source, source_id, purpose, fingerprint, occurred_on, posted_on,
    recorded_at, memo)
SELECT 'owners', 'many', n, 'settle', sha256(n::text::bytea), day, day, now(), '批量 ' || n
FROM generate_series(1, 25000) AS n
CROSS JOIN LATERAL (SELECT date '2026-01-01' + n % 300 AS day) AS d;
INSERT INTO posting (entry_id, line, account, amount_fen, posted_on)
SELECT id, line, account, sign * (source_id % 900 + 1), posted_on
FROM journal_entry CROSS JOIN (VALUES (1, '1001', 1), (2, '1121', -1)) AS l (line, account, sign)
WHERE source = 'many';
"""


@pytest.mark.parametrize("form", ["csv", "beancount", "hledger", "xlsx"])
def test_memory_does_not_grow_with_the_entries(session: Session, tmp_path: Path, form: str) -> None:
    """50,000 postings; what is held meanwhile are the rows of one look at the cursor."""
    session.execute(text(MANY))
    session.commit()
    told: list[int] = []
    held: list[int] = []

    def tell(count: int) -> None:
        told.append(count)
        if count % 5_000 == 0:
            held.append(_rows_held())

    with snapshot() as reading:
        begun = export(reading, Wanted(form, None, UNTIL, OWNERS), tell)
        assert told == []
        before = _rows_held()
        path = tmp_path / "file"
        with path.open("wb") as file:
            file.writelines(begun.pieces)
    assert begun.entries == told[-1] == 25_000
    assert max(held) - before < 2 * journal_rows.AT_ONCE
    if form == "beancount":
        total = sum(n % 900 + 1 for n in range(1, 25_001))
        assert readers.by_beancount(path) == {"1001": total, "1121": -total}


def _rows_held() -> int:
    """Rows of the driver, and entries made of them, that Python has not let go."""
    return sum(type(held) in {dict, JournalRow} for held in gc.get_objects())


def test_a_reader_who_leaves_frees_the_snapshot(
    lived: Community, session: Session, get: Ask
) -> None:
    """The first pieces come long before the last entry was read; nobody has to wait for it."""
    session.execute(text(MANY))
    session.commit()
    engine: Any = session.get_bind()
    pool = engine.pool
    before = pool.checkedout()
    answer = lived.client.get(
        "/api/v1/ledger/export?format=csv", headers=lived.as_person("fan"), buffered=False
    )
    pieces = answer.iter_encoded()
    assert "凭证号".encode() in next(pieces)
    assert pool.checkedout() > before
    answer.close()
    session.rollback()
    assert pool.checkedout() == before


def test_what_is_posted_meanwhile_is_not_in_the_file(session: Session, tmp_path: Path) -> None:
    live_through(session)
    with snapshot() as reading:
        begun = export(reading, Wanted("beancount", None, UNTIL))
        session.execute(text(MANY))
        session.commit()
        path = readers.saved(tmp_path / "journal", [b"".join(begun.pieces).decode()])
    assert readers.by_beancount(path)["1001"] == 6134
