"""How settlement stands: what finance sees and releases, nightly proofs, what Prometheus reads."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from core import clock
from core.app import settings
from core.db import atomic
from ledger import proof_reports
from ledger.settlement import LAG
from tests.cast import Community, found_community
from tests.ledger.till import NOON, Till, ask, book, cash, fee, open_till, settle_all, vote

TONIGHT = datetime.fromisoformat("2026-11-24T03:10:00+08:00")
NIGHT = "day = '2026-11-24'"


@pytest.fixture
def community(app: Flask) -> Iterator[Community]:
    with clock.at(NOON):
        yield found_community(app)


def ask_for(community: Community, path: str, name: str = "fan", **query: Any) -> Any:
    headers = community.as_person(name)
    return community.client.get(f"/api/v1/ledger{path}", query_string=query, headers=headers)


def release(community: Community, path: str, body: Any = None, name: str = "fan") -> Any:
    headers = community.as_person(name)
    return community.client.post(f"/api/v1/ledger/set-aside{path}", json=body, headers=headers)


def prove(at: datetime = TONIGHT) -> int:
    with clock.at(at):
        return atomic(proof_reports.prove_tonight, clock.now(), settings().zone)


def test_finance_sees_what_was_set_aside_and_releases_it(
    community: Community, session: Session
) -> None:
    """An unknown income, and an account out of use that comes back into it."""
    session.execute(text("UPDATE account SET active = false WHERE code = '600101'"))
    book(session, fee(1), fee(2, income="helipad"), fee(3), fee(4, income="ebike"))
    assert settle_all() == 4
    why = ["account-inactive", "no-income-account", "account-inactive", "no-split-rule"]
    found = ask_for(community, "/set-aside", "ava").get_json()
    assert [(row["table"], row["id"], row["reason"]) for row in found] == [
        ("charge", number, reason) for number, reason in enumerate(why, start=1)
    ]
    assert found[0]["amount_fen"] == 800
    inactive = ask_for(community, "/set-aside", reason=why[0], page_size=1)
    assert [row["id"] for row in inactive.get_json()] == [1]
    assert '"total": 2' in inactive.headers["X-Pagination"]

    assert release(community, "/charge/1/release").get_json() == {"released": 1}
    assert settle_all() == 1
    assert len(ask_for(community, "/set-aside").get_json()) == 4
    session.execute(text("UPDATE account SET active = true WHERE code = '600101'"))
    session.commit()
    assert release(community, "/charge/1/release").get_json() == {"released": 1}
    assert release(community, "/release", {"reason": why[0]}).get_json() == {"released": 1}
    assert settle_all() == 2
    assert [row["id"] for row in ask_for(community, "/set-aside").get_json()] == [2, 4]


def test_only_what_is_set_aside_can_be_released(community: Community, session: Session) -> None:
    book(session, fee(1))
    settle_all()
    for path in ("/charge/1/release", "/charge/9/release", "/person/1/release", "/x'--/1/release"):
        assert release(community, path).status_code == 404, path
    assert release(community, "/release", {"reason": "nothing"}).get_json() == {"released": 0}
    assert release(community, "/release", {}).status_code == 422
    assert release(community, "/charge/1/release", name="ava").status_code == 403


def test_a_night_is_proved_once_and_kept(community: Community, session: Session) -> None:
    """Fan reads in the morning: a fee is in the books, one waits, one is set aside."""
    book(session, fee(1))
    settle_all()
    book(session, fee(2, income="ebike"))
    settle_all()
    book(session, fee(3, 700))
    assert prove(TONIGHT - timedelta(minutes=20)) == 0
    assert (prove(), prove(), prove(TONIGHT + timedelta(hours=20))) == (1, 0, 0)
    assert prove(TONIGHT + timedelta(days=1)) == 1
    newest, first = ask_for(community, "/proofs", "ava").get_json()
    assert (newest["day"], first["day"]) == ("2026-11-25", "2026-11-24")
    whole = ask_for(community, f"/proofs/{first['id']}").get_json()
    assert whole["checks"]["sources"]["ok"]
    assert whole["checks"].keys() >= {"balances", "chain", "rollups", "receivables"}
    charges = {side["verdict"]: side for side in whole["sides"] if side["source"] == "charge"}
    assert charges["settled"] == {
        "source": "charge", "verdict": "settled", "difference_fen": 0,
        "rows": 1, "rows_fen": 800, "entries": 1, "entries_fen": 800,
    }  # fmt: skip
    assert charges["waiting"]["difference_fen"] == 700
    assert charges["set aside: no-split-rule"]["difference_fen"] == 800
    assert ask_for(community, "/proofs/99").status_code == 404


def test_a_proof_that_fails_is_kept_and_raises_an_alarm(
    community: Community, session: Session
) -> None:
    book(session, fee(1))
    settle_all()
    session.execute(text("ALTER TABLE posting DISABLE TRIGGER USER"))
    session.execute(text("UPDATE posting SET amount_fen = 799 WHERE line = 1"))
    session.commit()
    with capture_logs() as said:
        assert prove() == 1
    [alarm] = [line for line in said if line["log_level"] == "error"]
    assert "entry 1" in alarm["checks"]["balances"]
    [report] = ask_for(community, "/proofs").get_json()
    assert not report["ok"]
    assert {"balances", "chain"} <= set(report["failed"])
    assert "huilin_ledger_proof_ok 0.0" in metrics(community)


def test_two_provers_make_one_report(app: Flask, session: Session) -> None:
    """Two beats ticked, two workers took a tick each."""
    open_till(session)

    def as_a_worker(_: int) -> int:
        with app.app_context():
            return prove()

    with ThreadPoolExecutor(4) as workers:
        assert sum(workers.map(as_a_worker, range(8))) == 1
    assert ask(session, f"SELECT count(*) FROM proof_report WHERE {NIGHT}") == [(1,)]


def test_prometheus_reads_what_waits_and_for_how_long(
    community: Community, session: Session
) -> None:
    olga = ask(session, "SELECT id FROM person WHERE username = 'olga'")[0][0]
    book(session, fee(1), fee(2), fee(3, income="ebike"), cash(Till(0, 0, olga), 1))
    with clock.at(NOON + timedelta(seconds=90)):
        said = metrics(community)
    assert 'huilin_settlement_waiting{table="charge"} 3.0' in said
    assert 'huilin_settlement_oldest_seconds{table="payment"} 90.0' in said
    seen = lag("charge")
    with clock.at(NOON + timedelta(seconds=7)):
        settle_all()
    said = metrics(community)
    assert 'huilin_settlement_waiting{table="charge"} 0.0' in said
    assert 'huilin_settlement_set_aside{table="charge"} 1.0' in said
    assert [now - before for now, before in zip(lag("charge"), seen, strict=True)] == [2, 14]
    with clock.at(NOON + timedelta(seconds=10)):
        vote(session, income="ebike")
        session.commit()
        settle_all()
    assert lag("charge")[1] - seen[1] == 24


def lag(table: str) -> tuple[float, float]:
    """How many rows were settled so far, and how many seconds that took in all."""
    samples = {
        s.name: s.value
        for m in LAG.collect()
        for s in m.samples
        if s.labels["table"] == table and "le" not in s.labels
    }
    name = "huilin_settlement_lag_seconds"
    return samples.get(f"{name}_count", 0.0), samples.get(f"{name}_sum", 0.0)


def metrics(community: Community) -> str:
    said: str = community.client.get("/metrics").get_data(as_text=True)
    return said
