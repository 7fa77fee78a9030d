"""From an entry to what happened, and from what happened to the entries and the reports."""

from typing import Any

from flask import Flask
from sqlalchemy.orm import Session

from channels.models import BillImport, BillLine
from tests.cast import Community
from tests.ledger.till import ask
from tests.reports.conftest import Ask, Report
from tests.reports.months import NOVEMBER


def sources(found: Any) -> set[str]:
    """What the entries are of."""
    return {entry["source"] for entry in found["entries"]}


def test_a_stay_its_charges_payments_entries_and_months(report: Report, get: Ask) -> None:
    found = report("trace", stay=3)
    assert found["cause"] == {"source": "stay", "source_id": 3, "url": "/api/v1/stays/3"}
    assert [charge["amount_fen"] for charge in found["charges"]] == [1500, -400]
    assert len(found["entries"]) == 6
    [fee, credit] = (f"charge:{charge['id']}" for charge in found["charges"])
    assert sources(found) == {fee, credit}
    assert {(place["book"], place["month"]) for place in found["reports"]} == {
        (book, month) for book in ("owners", "fund", "provider") for month in ("2026-10", "2026-11")
    }
    for place in found["reports"]:
        for link in (place["statement"], place["trial_balance"], place["export"]):
            assert get("ava", link.removeprefix("/api/v1/ledger/")).status_code == 200


def test_every_entry_leads_to_its_source_and_back(session: Session, report: Report) -> None:
    entries = ask(session, "SELECT id, source, source_id FROM journal_entry ORDER BY id")
    assert len(entries) > 15
    for number, source, source_id in entries:
        found = report("trace", entry=number)
        assert number in {entry["id"] for entry in found["entries"]}
        if source in {"charge", "payment"}:
            assert source_id in {row["id"] for row in found[f"{source}s"]}
            back = report("trace", **{source: source_id})
            assert back == found
        elif source == "top_up":
            assert [row["amount_fen"] for row in found["top_ups"]] == [5000]
        elif source != "expense":
            assert [(row["kind"], row["id"]) for row in found["moves"]] == [(source, source_id)]


def test_a_move_leads_to_the_line_of_the_bill(
    app: Flask, session: Session, lived: Community, report: Report
) -> None:
    [(olga,)] = ask(session, "SELECT id FROM person WHERE username = 'olga'")
    day = NOVEMBER.date()
    file = BillImport(
        channel="bank",
        filename="a.csv",
        sha256="0" * 64,
        covers_from=day,
        covers_to=day,
        lines=1,
        new_lines=1,
        imported_by=olga,
        recorded_at=NOVEMBER,
    )
    session.add(file)
    session.flush()
    session.add(
        BillLine(
            import_id=file.id,
            channel="bank",
            type="transfer",
            external_id="T1",
            reference="",
            provider="wechat",
            amount_fen=450,
            fee_fen=0,
            occurred_at=NOVEMBER,
            on_day=day,
            memo="",
        )
    )
    session.commit()
    [(number,)] = ask(session, "SELECT id FROM journal_entry WHERE source = 'settlement_transfer'")
    found = report("trace", entry=number)
    assert [(line["external_id"], line["amount_fen"]) for line in found["bill_lines"]] == [
        ("T1", 450)
    ]


def test_other_causes_and_nothing(get: Ask, report: Report) -> None:
    assert [row["amount_fen"] for row in report("trace", source="visit:4")["payments"]] == [333]
    for query in ({"entry": 9999}, {"charge": 9999}, {"payment": 9999}, {"stay": 9999}):
        assert get("fan", "trace", **query).status_code == 404
    assert get("fan", "trace", source="visit:9").status_code == 404
