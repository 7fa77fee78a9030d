"""The database itself refuses, whoever writes: plain SQL against the invariants."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from parking import privacy
from tests.cast import NOON, Community

INSIDE, GONE, OWING = "川A00001", "川A00002", "川A00003"
HOURS = timedelta(hours=1)

AN_EVENT = """
INSERT INTO device_event (device_id, event_key, type, occurred_at, recorded_at, history)
SELECT device_id, event_key, type, occurred_at, recorded_at, history FROM device_event LIMIT 1
"""
CLAIM = """
INSERT INTO space_claim (lot_id, space_id, during, stay_id)
SELECT c.lot_id, c.space_id, {}, (SELECT id FROM stay WHERE plate = '川A00002')
FROM space_claim c JOIN stay s ON s.id = c.stay_id WHERE s.plate = '川A00001'
"""
FROM_NOON, FROM_ONE = (f"tstzrange('{NOON + timedelta(hours=hours)}', NULL)" for hours in (0, 1))
OF_GONE, OF_INSIDE = "WHERE plate = '川A00002'", "WHERE plate = '川A00001'"

REFUSED = {
    "a second claim of a space in use": (CLAIM.format(FROM_NOON), "ex_space_claim"),
    "a claim of no time at all": (
        "UPDATE space_claim SET during = 'empty' WHERE live",
        "ck_space_claim_during",
    ),
    "a claim that comes to life again": (
        "UPDATE space_claim SET live = true, space_id = (SELECT space_id FROM space_claim"
        " WHERE live LIMIT 1), during = tstzrange(NULL, NULL) WHERE NOT live",
        "ex_space_claim_one_at_a_time",
    ),
    "a claim moved to a space in use": (
        "UPDATE space_claim SET space_id = (SELECT min(space_id) FROM space_claim WHERE live)"
        " WHERE live",
        "ex_space_claim_one_at_a_time",
    ),
    "the same car inside twice": (
        'INSERT INTO stay (lot_id, plate, plate_color, status, "right", entered_at)'
        f' SELECT lot_id, plate, plate_color, status, "right", entered_at FROM stay {OF_INSIDE}',
        "uq_stay_open",
    ),
    "a closed stay with another fee": (f"UPDATE stay SET fee_fen = 5 {OF_GONE}", "history"),
    "a closed stay made longer": (
        f"UPDATE stay SET exited_at = exited_at + interval '1 hour' {OF_GONE}",
        "history",
    ),
    "a closed stay that began elsewhen": (
        f"UPDATE stay SET entered_at = entered_at - interval '1 hour' {OF_GONE}",
        "history",
    ),
    "a closed stay of another tariff": (f"UPDATE stay SET tariff_id = NULL {OF_GONE}", "history"),
    "a closed stay opened again": (
        f"UPDATE stay SET status = 'open', exited_at = NULL, fee_fen = NULL {OF_GONE}",
        "history",
    ),
    "a stay that never was": (f"DELETE FROM stay {OF_GONE}", "history"),
    "an open stay deleted": (f"DELETE FROM stay {OF_INSIDE}", "history"),
    "another price": ("UPDATE tariff SET rules = '{}'", "history"),
    "a price of another time": ("UPDATE tariff SET valid_from = now()", "history"),
    "no price": ("DELETE FROM tariff", "history"),
    "two prices from one instant on": (
        "INSERT INTO tariff (lot_id, version, valid_from, rules)"
        " SELECT lot_id, version + 1, valid_from, rules FROM tariff",
        "uq_tariff_lot_id_valid_from",
    ),
    "one event twice": (AN_EVENT, "uq_device_event_device_id_event_key"),
    "another answer": ('UPDATE device_event SET answer = \'{"action": "open"}\'', "history"),
    "another body": ("UPDATE device_event SET raw = 'x'", "history"),
    "other content": ("UPDATE device_event SET data = '{}'", "history"),
    "another time": ("UPDATE device_event SET occurred_at = now()", "history"),
    "replayed after all": ("UPDATE device_event SET history = NOT history", "history"),
    "another key": ("UPDATE device_event SET event_key = 'x'", "history"),
    "an event that never was": ("DELETE FROM device_event", "history"),
    "nothing ever happened": ("TRUNCATE device_event, stay, tariff CASCADE", "history"),
    "a claim that never was": ("DELETE FROM space_claim", "history"),
    "no exceptions": ("DELETE FROM exception_case", "history"),
    "another car that left": (f"UPDATE stay SET plate = '川A00009' {OF_GONE}", "history"),
    "a closed stay somewhere else": (f"UPDATE stay SET space_id = NULL {OF_GONE}", "history"),
    "a closed stay by another right": (
        f"UPDATE stay SET \"right\" = 'permit' {OF_GONE}",
        "history",
    ),
    "somebody else's closed stay": (
        f"UPDATE stay SET household_id = (SELECT min(id) FROM household) {OF_GONE}",
        "history",
    ),
    "settled without a reason": ("UPDATE exception_case SET resolved_at = now()", "with_reason"),
}


def a_stay(status: str, entered: str, exited: str, fee: str) -> str:
    """SQL that adds a stay of a combination of columns."""
    return (
        'INSERT INTO stay (lot_id, plate, plate_color, status, "right", entered_at, exited_at,'
        " fee_fen)"
        f" SELECT id, '川Z00000', 'blue', '{status}', 'walk-in', {entered}, {exited}, {fee}"
        " FROM lot"
    )


EARLIER, LATER = "timestamptz '2026-11-23 04:00Z'", "timestamptz '2026-11-23 05:00Z'"
POSSIBLE = {
    ("open", EARLIER, "NULL", "NULL"),
    ("closed", EARLIER, LATER, "0"),
    ("closed", EARLIER, LATER, "5"),
    ("entry-missing", "NULL", LATER, "NULL"),
    ("exit-missing", EARLIER, "NULL", "NULL"),
}


@pytest.fixture
def busy(community: Community, session: Session) -> Session:
    """Two cars inside, one that left again and paid nothing, one that owes, one exception."""
    for number, plate in enumerate((INSIDE, GONE, OWING)):
        community.knock("entry", plate, NOON + number * timedelta(minutes=1))
    community.knock("exit", GONE, NOON + timedelta(minutes=10))
    community.knock("exit", OWING, NOON + HOURS)
    community.knock("exit", "川A99999", NOON + HOURS)
    return session


def refusal(session: Session, sql: str) -> str | None:
    """What the database says against a statement, or None; nothing is kept."""
    try:
        with session.begin_nested() as attempt:
            session.execute(text(sql))
            attempt.rollback()
    except DBAPIError as error:
        return str(error.orig)
    return None


def test_the_database_refuses_to_break_the_invariants(busy: Session) -> None:
    said = {name: refusal(busy, sql) for name, (sql, _) in REFUSED.items()}
    wrong = {name: said[name] for name, (_, by) in REFUSED.items() if by not in (said[name] or "")}
    assert wrong == {}


def test_a_stay_is_open_closed_or_half_seen_and_nothing_else(busy: Session) -> None:
    combinations = {
        (status, entered, exited, fee)
        for status in ("open", "closed", "entry-missing", "exit-missing", "lost")
        for entered in ("NULL", EARLIER, LATER)
        for exited in ("NULL", LATER)
        for fee in ("NULL", "-5", "0", "5")
    }
    possible = {c for c in combinations if refusal(busy, a_stay(*c)) is None}
    same_instant = {(status, LATER, exited, fee) for status, _, exited, fee in POSSIBLE}
    assert POSSIBLE <= possible <= POSSIBLE | same_instant
    assert refusal(busy, a_stay("closed", LATER, EARLIER, "0"))


def test_a_free_space_may_be_claimed_again_after_the_stay_before(busy: Session) -> None:
    [(released, during_over)] = busy.execute(
        text("SELECT space_id, upper(during) FROM space_claim WHERE NOT live")
    ).all()
    assert during_over == NOON + timedelta(minutes=10)
    again = f"""
    WITH s AS (INSERT INTO stay (lot_id, plate, plate_color, status, "right", entered_at)
               SELECT id, '川Z00000', 'blue', 'open', 'walk-in', now() FROM lot
               RETURNING id, lot_id)
    INSERT INTO space_claim (lot_id, space_id, during, stay_id)
    SELECT lot_id, {released}, {FROM_ONE}, id FROM s
    """
    assert refusal(busy, again) is None
    in_use = "(SELECT min(space_id) FROM space_claim WHERE live)"
    taken = again.replace(f"lot_id, {released}", f"lot_id, {in_use}")
    assert "ex_space_claim_one_at_a_time" in (refusal(busy, taken) or "")


def test_personal_data_may_expire_and_nothing_else_with_them(busy: Session) -> None:
    before = busy.execute(text("SELECT id, status, entered_at, exited_at, fee_fen FROM stay")).all()
    much_later = NOON + timedelta(days=800)
    with clock.at(much_later):
        while atomic(
            privacy.expire_batch, now=much_later, picture_days=30, plate_days=365, limit=2
        ):
            pass
    plates = {s.plate: s.status for s in busy.execute(text("SELECT plate, status FROM stay"))}
    assert plates == {privacy.ERASED: "closed", INSIDE: "open", OWING: "open"}
    after = busy.execute(text("SELECT id, status, entered_at, exited_at, fee_fen FROM stay")).all()
    assert sorted(after) == sorted(before)
    kept = busy.execute(text("SELECT raw, data, answer FROM device_event")).all()
    assert set(map(tuple, kept)) == {(None, None, None)}
