"""What needs a person's eye: listed, resolved once, with a reason."""

from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from core import clock
from core.db import atomic, driver, send
from devices.exceptions import raised
from tests.cast import NOON, Community

MINUTE = timedelta(minutes=1)


def cases(community: Community, **query: str) -> list[dict[str, Any]]:
    answer = community.client.get(
        "/api/v1/exceptions", query_string=query, headers=community.as_person("olga")
    )
    found: list[dict[str, Any]] = answer.get_json()
    return found


def resolve(community: Community, case_id: int, reason: str = "seen") -> tuple[int, dict[str, Any]]:
    answer = community.client.post(
        f"/api/v1/exceptions/{case_id}/resolve",
        json={"reason": reason},
        headers=community.as_person("olga"),
    )
    return answer.status_code, answer.get_json()


def test_each_refusal_that_needs_a_person_is_one_case(community: Community) -> None:
    community.knock("entry", "", NOON)
    community.knock("entry", "川C33333", NOON, event_id="in")
    community.knock("entry", "川C33333", NOON + MINUTE, event_id="again")
    community.knock("entry", "川C33333", NOON + MINUTE, event_id="again")
    community.knock("exit", "川C99999", NOON + MINUTE)
    community.knock("exit", "川C33333", NOON + 60 * MINUTE)
    found = [
        (case["reason"], case["plate"], case["device"], case["lane"]) for case in cases(community)
    ]
    assert found == [
        ("unknown-stay", "川C99999", "exit", "exit"),
        ("already-inside", "川C33333", "entry", "entry"),
        ("no-plate", None, "entry", "entry"),
    ]


def test_history_that_contradicts_itself_is_a_case(community: Community) -> None:
    community.knock("entry", "川C33333", NOON)
    community.knock("exit", "川C33333", NOON + 10 * MINUTE)
    community.knock("entry", "川C33333", NOON + 5 * MINUTE, now=NOON + 60 * MINUTE, replayed=True)
    assert [case["reason"] for case in cases(community)] == ["history-conflict"]
    assert len(community.stays()) == 1


def test_a_case_is_resolved_once_and_says_by_whom(community: Community) -> None:
    community.knock("exit", "川C99999", NOON)
    [case] = cases(community, resolved="false")
    with clock.at(NOON + MINUTE):
        status, said = resolve(community, case["id"], "let out by hand")
        assert status == 200
    assert (said["resolution"], said["resolved_at"]) == (
        "let out by hand",
        (NOON + MINUTE).isoformat(),
    )
    assert said["resolved_by"]
    assert resolve(community, case["id"])[0] == 409
    assert resolve(community, 999)[0] == 404
    assert resolve(community, case["id"], "")[0] == 422
    assert cases(community, resolved="false") == []
    assert [c["id"] for c in cases(community, resolved="true")] == [case["id"]]


def test_what_a_sweep_finds_is_one_case_for_each_reason(community: Community) -> None:
    def sweep(session: Session) -> None:
        send(
            driver(session),
            [
                raised("booking", 7, "no-space-left", "川A12345", NOON),
                raised("stay", 7, "no-space-left", None, NOON),
            ],
        )

    atomic(sweep)
    atomic(sweep)
    found = [
        [case[name] for name in ("subject", "subject_id", "reason", "plate", "device", "event_id")]
        for case in cases(community)
    ]
    assert found == [
        ["stay", 7, "no-space-left", None, None, None],
        ["booking", 7, "no-space-left", "川A12345", None, None],
    ]
