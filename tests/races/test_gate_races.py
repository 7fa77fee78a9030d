"""The gate under a crowd: one stay, one space, one charge and one payment, whoever is first."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from parking import lots
from tests.cast import NOON, Community
from tests.races.crowd import at_once

HOURS = timedelta(hours=1)
ANA, VISITOR = "川A12345", "川C33333"

Said = tuple[int, dict[str, Any]]


def knocking(
    community: Community, device: str, plate: str, at: datetime, event_id: str
) -> Callable[[FlaskClient], Said]:
    """A call that reports a plate at a gate."""
    body = {
        "event_id": event_id,
        "type": "gate.request",
        "occurred_at": at.isoformat(),
        "data": {"plate": plate, "plate_color": "blue"},
    }
    headers = community.as_device(device)

    def call(client: FlaskClient) -> Said:
        answer = client.post("/api/v1/device-events", json=body, headers=headers)
        return answer.status_code, answer.get_json()

    return call


def paying(community: Community, name: str, key: str, **said: Any) -> Callable[[FlaskClient], Said]:
    """A call that pays."""
    headers = community.as_person(name) | {"Idempotency-Key": key}

    def call(client: FlaskClient) -> Said:
        answer = client.post("/api/v1/payments", json=said, headers=headers)
        return answer.status_code, answer.get_json()

    return call


def top_up(community: Community, username: str, amount_fen: int) -> None:
    answer = community.client.post(
        "/api/v1/balance/top-ups",
        json={"username": username, "amount_fen": amount_fen},
        headers=community.as_person("olga") | {"Idempotency-Key": "top-up"},
    )
    assert answer.status_code == 201


def rows(session: Session, sql: str) -> list[tuple[Any, ...]]:
    found = [tuple(row) for row in session.execute(text(sql))]
    session.rollback()
    return found


def money(session: Session) -> tuple[int, int, int, int]:
    """How many charges and payments there are, and their sums."""
    [found] = rows(
        session,
        """
        SELECT (SELECT count(*) FROM charge), (SELECT coalesce(sum(amount_fen), 0) FROM charge),
               (SELECT count(*) FROM payment), (SELECT coalesce(sum(amount_fen), 0) FROM payment)
        """,
    )
    return found[0], int(found[1]), found[2], int(found[3])


def reasons(answers: list[Said]) -> Counter[tuple[int, str]]:
    return Counter((status, said["decision"]["reason"]) for status, said in answers)


def test_one_event_told_by_32_at_once_is_one_stay_and_one_answer(
    app: Flask, community: Community, session: Session
) -> None:
    with clock.at(NOON):
        calls = [knocking(community, "entry", VISITOR, NOON, "same") for _ in range(32)]
        answers = at_once(app, calls)
    assert [status for status, _ in answers] == [200] * 32
    decisions = [said["decision"] for _, said in answers]
    assert all(decision == decisions[0] for decision in decisions)
    assert decisions[0]["action"] == "open"
    assert Counter(said["duplicate"] for _, said in answers) == {True: 31, False: 1}
    assert rows(session, "SELECT count(*) FROM stay") == [(1,)]
    assert rows(session, "SELECT count(*) FROM device_event") == [(1,)]
    assert rows(session, "SELECT count(*) FROM space_claim WHERE live") == [(1,)]


def test_one_car_read_by_16_cameras_at_once_comes_in_once(
    app: Flask, community: Community, session: Session
) -> None:
    with clock.at(NOON):
        answers = at_once(
            app, [knocking(community, "entry", VISITOR, NOON, f"e{n}") for n in range(16)]
        )
    assert reasons(answers) == {(200, "walk-in"): 16}
    assert len({said["decision"]["stay_id"] for _, said in answers}) == 1
    assert rows(session, "SELECT count(*) FROM space_claim WHERE live") == [(1,)]


def test_forty_cars_at_once_fill_ten_spaces_and_no_more(
    app: Flask, community: Community, session: Session
) -> None:
    def five_more(session: Session) -> None:
        lot = lots.lot_by_code(session, "B2")
        lots.add_spaces(session, lot, [f"B2-{n:03d}" for n in range(6, 11)])

    atomic(five_more)
    with clock.at(NOON):
        answers = at_once(
            app,
            [knocking(community, "entry", f"川A000{n:02d}", NOON, f"e{n}") for n in range(40)],
        )
    assert reasons(answers) == {(200, "walk-in"): 10, (200, "lot-full"): 30}
    spaces = {said["decision"]["space"] for _, said in answers} - {None}
    assert len(spaces) == 10
    overlapping = """
    SELECT count(*) FROM space_claim a JOIN space_claim b
        ON a.id < b.id AND a.space_id = b.space_id AND a.during && b.during AND a.live AND b.live
    """
    assert rows(session, overlapping) == [(0,)]
    assert rows(session, "SELECT status, count(*) FROM stay GROUP BY status") == [("open", 10)]
    assert rows(session, "SELECT reason, count(*) FROM exception_case GROUP BY reason") == [
        ("lot-full", 30)
    ]


def test_a_car_read_twice_at_once_while_leaving_is_charged_once(
    app: Flask, community: Community, session: Session
) -> None:
    top_up(community, "ana", 1_000)
    community.knock("entry", ANA, NOON)
    leaving = NOON + HOURS
    with clock.at(leaving):
        answers = at_once(
            app, [knocking(community, "exit", ANA, leaving, f"x{n}") for n in range(8)]
        )
    assert money(session) == (1, 300, 1, 300)
    assert reasons(answers) == {(200, "balance-charged"): 8}
    first, *others = [said["decision"] for _, said in answers]
    assert all(other == first for other in others)
    assert rows(session, "SELECT status, fee_fen FROM stay") == [("closed", 300)]
    assert rows(session, "SELECT amount_fen FROM balance") == [(700,)]
    assert rows(session, "SELECT reason FROM exception_case") == []


def test_a_supplement_is_raised_once_however_often_the_car_is_read(
    app: Flask, community: Community, session: Session
) -> None:
    community.knock("entry", VISITOR, NOON)
    community.knock("exit", VISITOR, NOON + HOURS)
    late = NOON + 2 * HOURS
    with clock.at(late):
        answers = at_once(
            app, [knocking(community, "exit", VISITOR, late, f"x{n}") for n in range(8)]
        )
    assert reasons(answers) == {(200, "payment-due"): 8}
    assert {said["decision"]["fee"]["due_fen"] for _, said in answers} == {500}
    assert money(session) == (2, 500, 0, 0)


def test_a_supplement_paid_by_many_tills_at_once_is_raised_and_paid_once(
    app: Flask, community: Community, session: Session
) -> None:
    stay_id = community.knock("entry", VISITOR, NOON)["decision"]["stay_id"]
    community.knock("exit", VISITOR, NOON + HOURS)
    with clock.at(NOON + 2 * HOURS):
        answers = at_once(
            app,
            [paying(community, "olga", f"k{n}", stay_id=stay_id, method="cash") for n in range(8)],
        )
    assert Counter(status for status, _ in answers) == {201: 1, 409: 7}
    assert money(session) == (2, 500, 1, 500)


def test_cash_at_the_till_races_the_balance_at_the_gate(
    app: Flask, community: Community, session: Session
) -> None:
    top_up(community, "ana", 10_000)
    for number in range(6):
        at = NOON + number * 5 * HOURS
        stay_id = community.knock("entry", ANA, at)["decision"]["stay_id"]
        leaving = at + HOURS
        with clock.at(leaving):
            till = [
                paying(community, name, f"{name}{number}", stay_id=stay_id, method=method)
                for name, method in (("olga", "cash"), ("ana", "balance"))
            ]
            gates = [knocking(community, "exit", ANA, leaving, f"x{number}-{n}") for n in (1, 2)]
            *paid, one, other = at_once(app, [*till, *gates])
        assert {status for status, _ in paid} <= {201, 409}
        gate = reasons([one, other])
        by_gate = (200, "balance-charged") in gate
        assert sum(status == 201 for status, _ in paid) + by_gate == 1
        assert gate in ({(200, "balance-charged"): 2}, {(200, "paid"): 2})
        assert money(session) == (number + 1, 300 * (number + 1), number + 1, 300 * (number + 1))
    assert rows(session, "SELECT status, fee_fen, count(*) FROM stay GROUP BY 1, 2") == [
        ("closed", 300, 6)
    ]


def test_two_last_coins_of_one_balance_pay_for_one_car_only(
    app: Flask, community: Community, session: Session
) -> None:
    top_up(community, "ana", 300)
    second = "川A54321"
    added = community.client.post(
        "/api/v1/vehicles",
        json={"plate": second, "plate_color": "blue", "household_id": community.households["ana"]},
        headers=community.as_person("olga"),
    )
    assert added.status_code == 201
    for plate in (ANA, second):
        community.knock("entry", plate, NOON)
    leaving = NOON + HOURS
    with clock.at(leaving):
        answers = at_once(
            app,
            [knocking(community, "exit", plate, leaving, plate) for plate in (ANA, second)],
        )
    assert reasons(answers) == {(200, "balance-charged"): 1, (200, "payment-due"): 1}
    assert money(session) == (2, 600, 1, 300)
    assert rows(session, "SELECT amount_fen FROM balance") == [(0,)]


def test_one_idempotency_key_used_by_many_at_once_pays_once(
    app: Flask, community: Community, session: Session
) -> None:
    stay_id = community.knock("entry", VISITOR, NOON)["decision"]["stay_id"]
    with clock.at(NOON + HOURS):
        answers = at_once(
            app,
            [paying(community, "olga", "same", stay_id=stay_id, method="cash") for _ in range(16)],
        )
    by_status = Counter(status for status, _ in answers)
    assert by_status[201] >= 1
    assert by_status[201] + by_status[409] == 16
    assert len({said["id"] for status, said in answers if status == 201}) == 1
    assert {said["code"] for status, said in answers if status == 409} <= {"still-running"}
    assert money(session) == (1, 300, 1, 300)
