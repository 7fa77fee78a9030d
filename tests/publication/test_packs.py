"""The pack: what it says, whom it hides, and that it is the same bytes for ever."""

import csv
import hashlib
import io
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from beancount import loader
from sqlalchemy import text

from core.config import OBJECTION_TO
from core.limits import limiter
from ledger import proof
from tests.cast import NOON
from tests.ledger.till import fee
from tests.publication.bureau import DECEMBER, MONTH, Bureau, figures, files

PLATE, PHONE = "川A12345", "13800138000"


def test_the_figures_are_those_of_the_books(bureau: Bureau) -> None:
    bureau.closes()
    said = figures(bureau.pack())
    income = sum(round((800 + n) * 0.7) for n in range(1, 8))
    fund = said["fund"]
    assert (fund["opening_fen"], fund["income_fen"], fund["closing_fen"]) == (0, income, income)
    assert fund["target_permille"] == income * 1000 // fund["target_fen"]
    [parking] = [line for line in said["income"] if line["book"] == "fund"]
    assert (parking["account"], parking["month_fen"], parking["by_month"]) == (
        "430101",
        income,
        {MONTH: income},
    )
    assert [who["name"] for who in said["approvers"]] == ["fan", "ada"]
    assert said["objection"] == {
        "published_on": "2026-12-03",
        "days": 15,
        "until": "2026-12-18",
        "to": OBJECTION_TO,
    }
    heads = bureau.sees("ledger/trial-balance", "ava")["heads"]
    assert {h["book"]: h["head"] for h in said["heads"]} == {h["book"]: h["head"] for h in heads}
    assert said["entries"] == {
        "last": bureau.count("SELECT max(id) FROM journal_entry"),
        "of_month": bureau.count("SELECT count(*) FROM journal_entry"),
    }


def test_packs_in_a_row_are_links_of_one_chain(bureau: Bureau) -> None:
    """Whoever kept the pack before can tell that nothing below its heads was changed since."""
    bureau.closes()
    bureau.books(fee(70, source="parcel", occurred_at=DECEMBER), at=DECEMBER)
    at = DECEMBER.replace(year=2027, month=1)
    bureau.seals(at)
    for step, name in (("close", "fan"), ("approve", "ada")):
        assert bureau.post(f"ledger/periods/2026-12/{step}", name, at=at).status_code == 200
    first = figures(bureau.pack())
    second = figures(bureau.get("publications/2026-12/pack.zip").get_data())
    for said in (first, second):
        heads = [chained(link)[-1] for link in said["chain"]]
        assert heads == [head["head"] for head in said["heads"]]
    for before, after in zip(first["chain"], second["chain"], strict=True):
        assert after["previous"] == chained(before)[-1]


def chained(link: dict[str, Any]) -> list[str]:
    """The head of every day of a pack's chain, reckoned without our code."""
    head, found = bytes.fromhex(link["previous"]), []
    for day in link["days"]:
        said = f"{link['book']} {day['day']} {day['count']}".encode()
        head = hashlib.sha256(head + said + bytes.fromhex(day["root"])).digest()
        found.append(head.hex())
    return found


def test_a_second_engine_adds_the_journal_up(bureau: Bureau) -> None:
    bureau.closes()
    journal = files(bureau.pack())["journal.beancount"]
    entries, errors, _ = loader.load_string(journal)
    assert errors == []
    assert sum(type(entry).__name__ == "Transaction" for entry in entries) > 0
    cut = journal.replace("8.0", "9.0", 1)
    assert cut == journal or loader.load_string(cut)[1] != []
    altered = journal.replace(" 56.28 CNY", " 56.29 CNY", 1)
    assert altered != journal
    assert loader.load_string(altered)[1] != []


def test_nobody_is_in_the_pack(bureau: Bureau) -> None:
    """Neither households nor what somebody wrote into a reason; small groups are put together."""
    bureau.books(fee(60, 555, source="parcel", household_id=bureau.community.households["ana"]))
    entry = bureau.count("SELECT max(id) FROM journal_entry")
    bureau.closes()
    reason = f"{PLATE} {PHONE} <script>alert(1)</script>"
    bureau.does(f"ledger/entries/{entry}/reverse", "fan", {"reason": reason})
    bureau.does("ledger/corrections/1/publish", "ada")
    bureau.settles()
    bureau.reopens()
    bureau.closes()
    pack = bureau.pack()
    said = "\n".join(files(pack).values())
    page = bureau.get(f"publications/{MONTH}/page").get_data(as_text=True)
    for text_ in (said, page, bureau.get(f"publications/{MONTH}").get_data(as_text=True)):
        for secret in ("household", "3-101", "1-101", PLATE, PHONE):
            assert secret not in text_, secret
    for shown in (page, files(pack)["index.html"]):
        assert "<script" not in shown
        assert "&lt;script" in shown
    rows = list(csv.DictReader(io.StringIO(files(pack)["detail.csv"].lstrip("\ufeff"))))
    assert {row["book"] for row in rows} == {"owners", "fund", "provider"}
    assert all(row["payers"].isdigit() and int(row["payers"]) >= 5 for row in rows)
    assert int(figures(pack)["detail"]["smallest_group"]) == min(int(r["payers"]) for r in rows)


def test_few_payers_are_not_counted_aloud(bureau: Bureau) -> None:
    bureau.closes()
    bureau.books(fee(70, source="parcel", occurred_at=DECEMBER), at=DECEMBER)
    at = DECEMBER.replace(year=2027, month=1)
    for step, name in (("close", "fan"), ("approve", "ada")):
        assert bureau.post(f"ledger/periods/2026-12/{step}", name, at=at).status_code == 200
    answer = bureau.get("publications/2026-12/pack.zip")
    detail = files(answer.get_data())["detail.csv"].splitlines()[1:]
    assert detail != []
    assert all(line.split(",")[4] == "<5" for line in detail)


def test_the_zip_tells_no_time_and_no_machine(bureau: Bureau) -> None:
    bureau.closes()
    with zipfile.ZipFile(io.BytesIO(bureau.pack())) as archive:
        told = {(i.date_time, i.compress_type, i.create_system) for i in archive.infolist()}
        assert archive.namelist() == sorted(archive.namelist())
    assert told == {((1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED, 3)}


def test_the_same_bytes_whatever_came_later(bureau: Bureau) -> None:
    """Later entries, reversals, notes, a renamed account, a person's new name, another edition."""
    bureau.closes()
    before = bureau.pack()
    told = bureau.sees(f"publications/{MONTH}")
    assert hashlib.sha256(before).hexdigest() == told["sha256"]
    bureau.books(fee(80, source="parcel"), at=DECEMBER)
    bureau.books(fee(81, source="parcel", occurred_at=DECEMBER), at=DECEMBER)
    bureau.does("ledger/entries/1/reverse", "fan", {"reason": "录错"})
    bureau.session.execute(text("UPDATE account SET name_zh = '别的', name_en = 'Other'"))
    bureau.session.execute(text("UPDATE person SET name = 'Somebody else'"))
    bureau.session.commit()
    assert bureau.pack() == before
    for note in (1, 2):
        bureau.does(f"ledger/corrections/{note}/publish", "ada", {"reason": "更正"})
    bureau.settles()
    bureau.reopens()
    bureau.books(fee(82, source="parcel"), at=DECEMBER)
    bureau.does("ledger/corrections/3/publish", "ada", {"reason": "补记"})
    bureau.closes()
    assert bureau.pack("?edition=1") == before
    second = bureau.pack()
    assert figures(second)["edition"] == 2
    assert [note["number"] for note in figures(second)["corrections"]] == [1, 2, 3]
    assert figures(second)["income"][0]["name_zh"] == "别的"
    found = bureau.sees(f"publications/{MONTH}")
    assert [(e["edition"], e["corrected"]) for e in [found, *found["earlier"]]] == [
        (2, False),
        (1, True),
    ]
    assert proof.verify(bureau.session).ok


def test_books_that_were_altered_no_longer_give_the_pack(bureau: Bureau) -> None:
    bureau.closes()
    bureau.session.execute(text("ALTER TABLE posting DISABLE TRIGGER USER"))
    move = "UPDATE posting SET amount_fen = amount_fen * 2 WHERE entry_id = 1"
    bureau.session.execute(text(move))
    bureau.session.commit()
    answer = bureau.get(f"publications/{MONTH}/pack.zip")
    assert (answer.status_code, answer.get_json()["code"]) == (500, "pack-differs")
    assert not proof.verify(bureau.session).checks["publications"].ok


def test_an_altered_head_is_found(bureau: Bureau) -> None:
    bureau.closes()
    bureau.session.execute(text("ALTER TABLE publication DISABLE TRIGGER USER"))
    forged = "jsonb_set(heads, '{0,head}', to_jsonb(repeat('0', 64)))"
    bureau.session.execute(text(f"UPDATE publication SET heads = {forged}"))
    bureau.session.commit()
    check = proof.verify(bureau.session).checks["publications"]
    assert (check.ok, "head of fund" in check.detail) == (False, True)


def test_anybody_may_look_and_caches_are_told_how(bureau: Bureau) -> None:
    for path in ("", "/pack.zip", "/page"):
        assert bureau.get(f"publications/{MONTH}{path}").status_code == 404
    assert bureau.sees("publications") == []
    bureau.closes()
    assert [row["edition"] for row in bureau.sees("publications")] == [1]
    for path in ("", "/pack.zip", "/page"):
        answer = bureau.get(f"publications/{MONTH}{path}")
        etag = answer.headers["ETag"]
        assert "public" in answer.headers["Cache-Control"]
        again = bureau.community.client.get(
            f"/api/v1/publications/{MONTH}{path}", headers={"If-None-Match": etag}
        )
        assert (again.status_code, again.get_data()) == (304, b"")
    assert bureau.get(f"publications/{MONTH}/pack.zip?edition=2").status_code == 404
    assert bureau.get(f"publications/{MONTH}/pack.zip?edition=x").status_code == 422
    page = bureau.get(f"publications/{MONTH}/page")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    shown = page.get_data(as_text=True)
    assert "<svg" in shown
    assert "http" not in shown.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_nobody_asks_for_packs_without_end(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "enabled", True)
    said = [bureau.get(f"publications/{MONTH}/pack.zip").status_code for _ in range(31)]
    assert said == [404] * 30 + [429]


def test_the_fund_is_open_to_everybody(bureau: Bureau) -> None:
    told = bureau.sees("fund")
    income = sum(round((800 + n) * 0.7) for n in range(1, 8))
    [month] = told["months"]
    assert (month["month"], month["income_fen"], month["balance_fen"]) == (MONTH, income, income)
    assert [(line["source"], line["amount_fen"]) for line in told["income"]] == [
        ("parking", income)
    ]
    assert (told["year"]["target_fen"], told["year"]["income_fen"]) == (10_000_000, income)
    assert bureau.get("fund", at=NOON + timedelta(days=60)).get_json()["year"]["income_fen"] == 0
