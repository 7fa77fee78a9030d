"""New codes: the recipient's anew, others' by name and for a time; what they open and when."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.app import settings
from core.sealing import unseal
from tests.cast import NOON, Community
from tests.lockers import hall
from tests.lockers.hall import HOUR, MINUTE, STRANGER
from tests.parcels import neighbours
from tests.parcels.neighbours import call, get, id_of, own, post

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


@pytest.fixture(autouse=True)
def cabinet(community: Community) -> None:
    neighbours.move_in(community)


def reissue(community: Community, session: Session, who: str, at: Any, **more: Any) -> Any:
    return post(community, who, f"/parcels/{id_of(session, 'YT1')}/code", at, **more)


def lend(community: Community, session: Session, name: str, until: Any, **more: Any) -> Any:
    """Ana gives somebody a code, an hour after noon."""
    more = {"status": 201, "name": name, "expires_at": until.isoformat()} | more
    return post(
        community, "ana", f"/parcels/{id_of(session, 'YT1')}/delegates", NOON + HOUR, **more
    )


def action(community: Community, code: str, at: Any, **said: Any) -> str:
    """What the cabinet does with a code and Ana's phone tail."""
    decision = hall.pick_up(community, code, at, **said)
    return "open" if decision["action"] == "open" else str(decision["reason"])


def happened(session: Session) -> list[str]:
    """What happened to codes."""
    sql = "SELECT type FROM parcel_event WHERE type LIKE 'code.%' ORDER BY id"
    return [row["type"] for row in hall.ask(session, sql)]


def test_a6_4_a_reissued_code_opens_and_the_old_one_is_dead_at_once(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    old = hall.code(session, "YT1")
    parcel = reissue(community, session, "ana", NOON + HOUR)
    new = parcel["pickup_code"]
    assert new == hall.code(session, "YT1") != old
    assert action(community, old, NOON + HOUR + MINUTE) == "wrong-code"
    opened = hall.pick_up(community, new, NOON + HOUR + 2 * MINUTE)
    assert (opened["action"], opened["compartment"]) == ("open", number)
    assert happened(session) == ["code.issued", "code.reissued", "code.failed"]
    assert [e["actor"].partition(":")[0] for e in parcel["events"] if "reissued" in e["type"]] == [
        "person"
    ]


def test_a6_5_a_reissue_tells_the_new_code_and_forgets_the_old(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    reissue(community, session, "ana", NOON + HOUR)
    sql = "SELECT kind, text, secret, cancelled_at FROM notice ORDER BY id"
    before, after = hall.ask(session, sql)
    assert (before["kind"], before["secret"]) == ("parcel-deposited", None)
    assert after["kind"] == "parcel-code-reissued"
    assert unseal(settings().secret_key, bytes(after["secret"])) == hall.code(session, "YT1")
    assert "旧码作废" in after["text"]
    assert hall.code(session, "YT1") not in after["text"]


def test_a6_5_a_reissue_unlocks(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    code = hall.code(session, "YT1")
    for n in range(5):
        assert action(community, f"{n:06d}", NOON + HOUR + n * SECOND) == "wrong-code"
    assert action(community, code, NOON + HOUR + MINUTE) == "code-locked"
    locked = own(community, "ana", "YT1", NOON + HOUR + MINUTE)
    assert locked["code_locked_until"] == (NOON + HOUR + 4 * SECOND + 15 * MINUTE).isoformat()
    parcel = reissue(community, session, "ana", NOON + HOUR + 2 * MINUTE)
    assert parcel["code_locked_until"] is None
    assert action(community, parcel["code"], NOON + HOUR + 3 * MINUTE) == "open"


def test_a_lock_is_over_after_fifteen_minutes(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    code = hall.code(session, "YT1")
    for n in range(5):
        action(community, f"{n:06d}", NOON + HOUR + n * SECOND)
    assert action(community, code, NOON + HOUR + 14 * MINUTE) == "code-locked"
    assert action(community, code, NOON + HOUR + 15 * MINUTE + 5 * SECOND) == "open"


def test_only_a_parcel_that_waits_gets_codes(community: Community, session: Session) -> None:
    number = hall.request(community, "YT1", NOON)["compartment"]
    assert reissue(community, session, "ana", NOON, status=409)["code"] == "not-waiting"
    hall.say(community, "parcel_deposited", NOON, tracking_number="YT1", compartment=number)
    hall.collect(community, "YT1", NOON + MINUTE)
    assert reissue(community, session, "ana", NOON + HOUR, status=409)["code"] == "not-waiting"
    assert lend(community, session, "Wang", NOON + DAY, status=409)["code"] == "not-waiting"
    assert happened(session) == ["code.issued"]


def test_a6_7_no_app_needed_the_desk_has_a_lost_code_sent_anew_and_never_sees_it(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON, phone=STRANGER, consent="asked")
    old = hall.code(session, "YT1")
    told = reissue(community, session, "olga", NOON + HOUR)
    new = hall.code(session, "YT1")
    assert (told["code"], told["phone"]) == (None, "137****3333")
    assert f'"{new}"' not in str(told)
    sql = """SELECT n.phone, n.secret, d.channel FROM notice n JOIN delivery d
             ON d.notice_id = n.id WHERE n.kind = 'parcel-code-reissued'"""
    [notice] = hall.ask(session, sql)
    assert (notice["phone"], notice["channel"]) == (STRANGER, "console")
    assert unseal(settings().secret_key, bytes(notice["secret"])) == new
    assert action(community, old, NOON + 2 * HOUR, phone=STRANGER) == "wrong-code"
    assert action(community, new, NOON + 2 * HOUR, phone=STRANGER) == "open"


def test_a6_7_somebody_else_fetches_it_with_a_code_that_ends(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    given = lend(community, session, "王奶奶", NOON + 3 * HOUR)
    assert (given["name"], given["phone_tail"], given["live"]) == ("王奶奶", "1111", True)
    opened = hall.pick_up(community, given["code"], NOON + 3 * HOUR - SECOND)
    assert (opened["action"], opened["compartment"]) == ("open", number)
    assert action(community, given["code"], NOON + 3 * HOUR) == "wrong-code"
    assert action(community, hall.code(session, "YT1"), NOON + 4 * HOUR) == "open"
    [shown] = own(community, "ana", "YT1", NOON + 4 * HOUR)["delegates"]
    assert (shown["live"], shown["code"]) == (False, None)


def test_given_codes_are_shown_to_who_gave_them_alone(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    neighbours.choose(community, "ana", NOON, share_with_household=True)
    given = lend(community, session, "王奶奶", NOON + DAY)
    [shown] = own(community, "ana", "YT1", NOON + 2 * HOUR)["delegates"]
    assert shown == given
    for who in ("amy", "yun", "olga"):
        seen = own(community, who, "YT1", NOON + 2 * HOUR)
        assert seen["delegates"] == []
        assert given["code"] not in str(seen)
    by_amy = {"name": "Amy", "expires_at": (NOON + DAY).isoformat()}
    post(community, "amy", f"/parcels/{seen['id']}/delegates", NOON + HOUR, status=403, **by_amy)


def test_a_given_code_is_taken_back_and_outlives_a_reissue(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    given = lend(community, session, "王奶奶", NOON + DAY)
    reissue(community, session, "ana", NOON + 2 * HOUR)
    assert action(community, given["code"], NOON + 2 * HOUR + MINUTE) == "open"
    path = f"/parcels/{id_of(session, 'YT1')}/delegates/{given['id']}"
    call(community, "ana", "DELETE", path, NOON + 3 * HOUR, status=204)
    assert action(community, given["code"], NOON + 3 * HOUR + MINUTE) == "wrong-code"
    call(community, "ana", "DELETE", path, NOON + 3 * HOUR, status=404)
    assert happened(session) == [
        "code.issued",
        "code.delegated",
        "code.reissued",
        "code.revoked",
        "code.failed",
    ]


def test_nobody_takes_back_the_recipients_own_code(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    [row] = hall.ask(session, "SELECT id FROM pickup_code")
    path = f"/parcels/{id_of(session, 'YT1')}/delegates/{row['id']}"
    call(community, "ana", "DELETE", path, NOON + HOUR, status=404)
    assert action(community, hall.code(session, "YT1"), NOON + HOUR) == "open"


def test_every_code_dies_when_the_parcel_is_gone(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    given = lend(community, session, "王奶奶", NOON + DAY)
    assert action(community, given["code"], NOON + 2 * HOUR) == "open"
    hall.collect(community, "YT1", NOON + 2 * HOUR + MINUTE)
    parcel = own(community, "ana", "YT1", NOON + 3 * HOUR)
    assert [(d["live"], d["code"], d["ended_reason"]) for d in parcel["delegates"]] == [
        (False, None, "collected")
    ]
    [by] = [e["data"]["by"] for e in parcel["events"] if e["type"] == "parcel.collected"]
    assert by == "delegate"
    assert action(community, given["code"], NOON + 4 * HOUR) == "wrong-code"


def test_five_at_a_time_have_a_code(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    for n in range(5):
        lend(community, session, f"delegate {n}", NOON + 2 * HOUR + n * MINUTE)
    told = lend(community, session, "one more", NOON + 2 * HOUR, status=409)
    assert told["code"] == "too-many-delegates"
    later = {"name": "one more", "expires_at": (NOON + DAY).isoformat()}
    path = f"/parcels/{id_of(session, 'YT1')}/delegates"
    post(community, "ana", path, NOON + 2 * HOUR, status=201, **later)  # the first has expired


@pytest.mark.parametrize(
    ("name", "until", "field"),
    [
        ("Wang", NOON + HOUR, "expires_at"),
        ("Wang", NOON + HOUR + 7 * DAY + SECOND, "expires_at"),
        ("", NOON + DAY, "name"),
        (" \n ", NOON + DAY, "name"),
        ("王" * 65, NOON + DAY, "name"),
        ("a\x00b", NOON + DAY, "name"),
    ],
)
def test_a_given_code_has_a_name_and_an_end(
    community: Community, session: Session, name: str, until: Any, field: str
) -> None:
    hall.deposit(community, "YT1", NOON)
    assert set(lend(community, session, name, until, status=422)["errors"]) == {field}
    assert happened(session) == ["code.issued"]


def test_a_name_is_only_a_name(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    name = "'); DELETE FROM pickup_code; --"
    lend(community, session, name, NOON + HOUR + 7 * DAY)
    [shown] = own(community, "ana", "YT1", NOON + 2 * HOUR)["delegates"]
    assert shown["name"] == name


def test_a6_4_no_code_stands_in_clear_anywhere(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    given = lend(community, session, "王奶奶", NOON + DAY)["code"]
    reissue(community, session, "ana", NOON + 2 * HOUR)
    new = hall.code(session, "YT1")
    action(community, given, NOON + 2 * HOUR)
    tables = hall.ask(session, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for table in (row["tablename"] for row in tables):
        for code in (given, new):
            # between letters and digits it is a part of something else: a digest, a time
            found = f"SELECT count(*) FROM {table} t WHERE t::text ~ :code"
            clear = rf"(^|[^0-9A-Za-z_-]){code}([^0-9A-Za-z_-]|$)"
            assert session.execute(text(found), {"code": clear}).scalar_one() == 0, table


def test_what_is_no_parcel_has_no_codes(community: Community) -> None:
    post(community, "ana", "/parcels/999999999/code", NOON, status=404)
    post(community, "ana", f"/parcels/{2**63}/code", NOON, status=404)
    get(community, "ana", "/parcels/0", NOON, status=404)
