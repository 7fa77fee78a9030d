"""Many couriers and residents at one cabinet at the same instant."""

from collections import Counter
from collections.abc import Callable

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from ledger import proof
from lockers import watch
from lockers.custody import Premises as Ours
from tests.cast import NOON, Community
from tests.lockers import hall
from tests.lockers.hall import ANA, HOUR, MINUTE
from tests.races.crowd import at_once

Asking = Callable[[FlaskClient], tuple[int, str | None, int | None]]

COURIERS = 64

DOUBLES = """
SELECT compartment_id, count(*) FROM parcel
WHERE phase IN ('reserved', 'ready', 'overdue') GROUP BY 1 HAVING count(*) > 1
"""


def asking(community: Community, n: int, *, same: bool = False) -> Asking:
    """A courier asks for a compartment."""
    body = {
        "event_id": f"race-{n}",
        "type": "locker.delivery_requested",
        "occurred_at": NOON.isoformat(),
        "data": {
            "tracking_number": "ONE" if same else f"R{n}",
            "recipient_phone": ANA,
            "size": "S",
            "courier": "Y1" if n % 2 or same else "S1",
        },
    }
    headers = community.as_device("K1")

    def call(client: FlaskClient) -> tuple[int, str | None, int | None]:
        answer = client.post("/api/v1/device-events", json=body, headers=headers)
        decision = answer.get_json().get("decision") or {}
        return answer.status_code, decision.get("reason"), decision.get("compartment")

    return call


def test_two_couriers_never_get_one_door(
    app: Flask, community: Community, session: Session
) -> None:
    hall.add_cabinet(community)
    with clock.at(NOON):
        answers = at_once(app, [asking(community, n) for n in range(COURIERS)])
    assert {status for status, _, _ in answers} == {200}
    given = [number for _, reason, number in answers if reason == "deposit"]
    # Fifteen doors; the last large one is kept for large parcels.
    assert Counter(reason for _, reason, _ in answers) == {"deposit": 14, "cabinet-full": 50}
    assert len(set(given)) == 14
    assert hall.ask(session, DOUBLES) == []
    held = "SELECT count(DISTINCT parcel_id) AS parcels FROM compartment WHERE state = 'held'"
    assert hall.ask(session, held) == [{"parcels": 14}]


def test_one_waybill_asked_for_many_times_at_once_has_one_door(
    app: Flask, community: Community, session: Session
) -> None:
    hall.add_cabinet(community)
    with clock.at(NOON):
        calls = [asking(community, n, same=True) for n in range(16)]
        answers = at_once(app, calls)
    assert len({number for _, _, number in answers}) == 1
    assert {reason for _, reason, _ in answers} == {"deposit"}
    assert len(hall.doors(session)) == 1


def test_one_waybill_at_two_cabinets_at_once_has_one_door(
    app: Flask, community: Community, session: Session
) -> None:
    hall.add_cabinet(community)
    hall.add_cabinet(community, code="K2")
    calls = []
    for n in range(8):
        community.tokens["K1"], community.tokens["K2"] = (
            community.tokens["K2"],
            community.tokens["K1"],
        )
        calls.append(asking(community, n, same=True))
    with clock.at(NOON):
        answers = at_once(app, calls)
    assert {status for status, _, _ in answers} == {200}
    assert hall.ask(session, "SELECT count(*) AS n FROM parcel") == [{"n": 1}]
    assert hall.ask(session, "SELECT count(*) AS n FROM compartment WHERE state = 'held'") == [
        {"n": 1}
    ]


def test_a_parcel_is_collected_while_it_becomes_overdue(
    app: Flask, community: Community, session: Session
) -> None:
    """Sweeps and the cabinet meet again and again; one end, one fee."""
    hall.add_cabinet(community)
    late = NOON + 20 * HOUR
    secret = app.config["SETTINGS"].secret_key
    zone = app.config["SETTINGS"].zone
    for n in range(6):
        hall.deposit(community, f"C{n}", NOON)

    def sweeping(_client: FlaskClient) -> int:
        with app.app_context():
            for parcel_id in atomic(watch.waiting, late, 100):
                atomic(watch.look_after, parcel_id, late, Ours(zone, secret))
        return 200

    def collecting(n: int) -> Callable[[FlaskClient], int]:
        body = {
            "event_id": f"collect-{n}",
            "type": "locker.parcel_collected",
            "occurred_at": (late - MINUTE).isoformat(),
            "data": {"tracking_number": f"C{n}"},
        }
        headers = community.as_device("K1")

        def call(client: FlaskClient) -> int:
            return client.post("/api/v1/device-events", json=body, headers=headers).status_code

        return call

    with clock.at(late):
        calls = [collecting(n) for n in range(6)] + [sweeping] * 3
        assert set(at_once(app, calls)) == {200}
    phases = hall.ask(session, "SELECT DISTINCT phase FROM parcel")
    assert phases == [{"phase": "collected"}]
    fees = "SELECT count(*) AS n, sum(amount_fen)::int AS fen FROM charge WHERE source = 'parcel'"
    assert hall.ask(session, fees) == [{"n": 6, "fen": 300}]
    assert hall.doors(session) == {}
    assert proof.verify(session).ok


def test_two_cabinets_do_not_spend_the_same_prepaid_money(
    app: Flask, community: Community, session: Session
) -> None:
    hall.add_cabinet(community)
    session.execute(text("UPDATE deposit_rate SET fee_fen = 4000 WHERE size = 'S'"))
    session.commit()
    tokens = []
    for n in range(4):
        hall.add_cabinet(community, code=f"C{n}")
        tokens.append(community.tokens[f"C{n}"])
    calls = []
    for n, token in enumerate(tokens):
        community.tokens["K1"] = token
        calls.append(asking(community, 2 * n + 1))
    with clock.at(NOON):
        answers = at_once(app, calls)
    # 100 yuan are prepaid: two deposits of 40 are covered, whoever is first.
    assert Counter(reason for _, reason, _ in answers) == {"deposit": 2, "courier-balance": 2}
