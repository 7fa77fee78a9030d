"""Cabinets at the desk: set up, changed, and how healthy they are."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.db import atomic
from devices import registry
from lockers.health import health_of
from storage.rules import LockerRules
from tests.cast import NOON, Community
from tests.inspection import counter
from tests.lockers import hall
from tests.lockers.hall import MINUTE

SECOND = timedelta(seconds=1)
DOORS = [{"number": 1, "size": "L", "row": 1}, {"number": 2, "size": "S", "row": 2}]


def listed(community: Community, at: Any = NOON, name: str = "ana") -> dict[str, dict[str, Any]]:
    found = counter.ask(community, "GET cabinets", at, who=name)
    return {cabinet["code"]: cabinet for cabinet in found}


def register(community: Community, code: str, kind: str = "cabinet") -> None:
    issued = atomic(registry.register, code=code, serial=f"serial-{code}", kind=kind)
    community.tokens[code] = issued.token


def new_cabinet(**changes: Any) -> dict[str, Any]:
    cabinet = {
        "code": "K2",
        "name": "二号柜",
        "address": "北门",
        "site": "office",
        "low_rows": 1,
        "device": "dev-2",
        "compartments": DOORS,
    }
    return cabinet | changes


def test_everybody_sees_what_is_free(community: Community) -> None:
    hall.add_cabinet(community)
    hall.deposit(community, "YT1", NOON)
    hall.request(community, "YT2", NOON + 2 * MINUTE, size="L")
    cabinet = listed(community, NOON + 3 * MINUTE)["K1"]
    assert {name: cabinet[name] for name in ("compartments", "S", "M", "L")} == {
        "compartments": 15,
        "S": 6,
        "M": 6,
        "L": 3,
    }
    assert cabinet["free"] == {"S": 5, "M": 6, "L": 2}
    states = {state: count for state, count in cabinet["states"].items() if count}
    assert states == {"free": 13, "occupied": 1, "held": 1}
    assert (cabinet["site"], cabinet["active"], cabinet["address"]) == ("residential", True, None)


def test_a_cabinet_is_online_late_and_offline(community: Community) -> None:
    hall.add_cabinet(community)
    assert listed(community)["K1"]["health"] == "offline"
    hall.say(community, "device.heartbeat", NOON, cameras="ok")
    seen = [
        listed(community, NOON + seconds * SECOND)["K1"]["health"]
        for seconds in (0, 60, 61, 300, 301)
    ]
    assert seen == ["online", "online", "late", "late", "offline"]


def test_covered_cameras_are_shown(community: Community) -> None:
    hall.add_cabinet(community)
    assert listed(community)["K1"]["cameras"] == "ok"
    hall.say(community, "device.heartbeat", NOON, cameras="covered")
    assert listed(community)["K1"]["cameras"] == "down"


@given(silent=st.integers(0, 10_000), beat=st.integers(5, 3600), grace=st.integers(5, 86_400))
def test_health_only_gets_worse_with_silence(silent: int, beat: int, grace: int) -> None:
    rules = LockerRules(heartbeat_seconds=beat, grace_seconds=grace)
    order = ("online", "late", "offline")
    now, later = (health_of(NOON, NOON + s * SECOND, rules) for s in (silent, silent + 1))
    assert order.index(now) <= order.index(later)
    assert (now == "offline") == (silent > beat + grace)


def test_an_admin_sets_up_a_cabinet_that_works_at_once(community: Community) -> None:
    hall.add_cabinet(community)
    register(community, "dev-2")
    made = counter.ask(community, "POST cabinets", NOON, who="ada", status=201, **new_cabinet())
    assert (made["code"], made["site"], made["free"]) == ("K2", "office", {"S": 1, "M": 0, "L": 1})
    assert made["low_rows"] == 1
    number = hall.deposit(community, "YT1", NOON, cabinet="dev-2")
    assert number == 2


def test_what_cannot_be_a_cabinet_is_refused_by_name(community: Community) -> None:
    hall.add_cabinet(community)
    for code, kind in (("dev-2", "cabinet"), ("cam", "camera")):
        register(community, code, kind)
    refused = {
        "device": new_cabinet(device="cam"),
        "compartments": new_cabinet(compartments=[DOORS[0], DOORS[0]]),
        "site": new_cabinet(site="moon"),
        "code": new_cabinet(code="一号"),
    }
    for field, body in refused.items():
        problem = counter.ask(community, "POST cabinets", NOON, who="ada", status=422, **body)
        assert list(problem["errors"]) == [field]
    nobody = new_cabinet(device="nobody")
    counter.ask(community, "POST cabinets", NOON, who="ada", status=422, **nobody)
    for taken in (new_cabinet(code="K1"), new_cabinet(device="K1")):
        problem = counter.ask(community, "POST cabinets", NOON, who="ada", status=409, **taken)
        assert problem["code"] == "cabinet-exists"


def test_a_closed_cabinet_takes_nothing_and_gives_everything(
    community: Community, session: Any
) -> None:
    hall.add_cabinet(community)
    hall.deposit(community, "YT1", NOON)
    changed = counter.ask(
        community, "PATCH cabinets/K1", NOON, active=False, address="南门岗亭", low_rows=0
    )
    assert (changed["active"], changed["address"], changed["name"]) == (False, "南门岗亭", "K1号柜")
    assert hall.request(community, "YT2", NOON + 2 * MINUTE)["reason"] == "cabinet-closed"
    code = hall.code(session, "YT1")
    assert hall.pick_up(community, code, NOON + 3 * MINUTE)["action"] == "open"
    counter.ask(community, "PATCH cabinets/K9", NOON, status=404, active=True)
