"""The offline list: what is in it, who can read it, and when a cabinet needs another."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from joserfc import jwe, jws
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import OKPKey
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from core import clock, http
from core.app import settings
from core.db import atomic, driver, send
from core.sealing import unseal
from lockers import codes, record
from tests.cast import NOON, Community
from tests.lockers import hall
from tests.lockers.firmware import Firmware, RefusedListError
from tests.lockers.hall import ANA, HOUR, MINUTE

LIST, KEY = "/api/v1/device/offline-list", "/api/v1/device/public-key"
TAIL = ANA[-4:]
AT = NOON + 10 * MINUTE
PAGE = (Path(__file__).parents[2] / "docs/offline-list.md").read_text("utf-8")
PERSONAL = (ANA, "ana", "YT1", "1-101")


@pytest.fixture
def k1(community: Community) -> Firmware:
    """Cabinet K1, set up, with Ana's parcel YT1 in it."""
    hall.add_cabinet(community)
    hall.deposit(community, "YT1", NOON)
    return installed(community, "K1")


def installed(community: Community, code: str) -> Firmware:
    """A cabinet's firmware with its keys exchanged."""
    cabinet = Firmware(community.client, code, community.tokens[code])
    with clock.at(NOON):
        cabinet.install()
    return cabinet


def fetched(cabinet: Firmware, at: datetime) -> int:
    """The cabinet asks for its list at `at`; the status."""
    with clock.at(at):
        return cabinet.fetch()


def sealed_at(cabinet: Firmware, at: datetime) -> str:
    """The list as it goes over the wire."""
    with clock.at(at):
        answer = cabinet.client.get(LIST, headers=cabinet.headers)
    assert answer.status_code == 200, answer.get_json()
    assert answer.mimetype == "application/jose"
    return answer.get_data(as_text=True)


def anas(community: Community, what: str, at: datetime, **said: Any) -> dict[str, Any]:
    """Ana asks in her app for something about her parcel YT1; the answer."""
    [parcel] = [p for p in hall.parcels(community, "ana", at) if p["tracking_number"] == "YT1"]
    with clock.at(at):
        answer = community.client.post(
            f"/api/v1/parcels/{parcel['id']}/{what}", json=said, headers=community.as_person("ana")
        )
    assert answer.status_code in {200, 201}, answer.get_json()
    told: dict[str, Any] = answer.get_json()
    return told


def staffs_code(session: Session, at: datetime, until: datetime) -> str:
    """A code by which staff may open the door of YT1."""
    [parcel] = hall.ask(session, "SELECT id, cabinet_id FROM parcel")
    code = codes.new_code(settings().secret_key, TAIL)
    given = record.code_given(
        parcel["id"], parcel["cabinet_id"], code, at, kind="staff", name="检查", expires_at=until
    )
    atomic(lambda session: send(driver(session), [given]))
    return unseal(settings().secret_key, code.sealed)


@contextmanager
def unchanged(cabinet: Firmware, at: datetime) -> Iterator[None]:
    """Whatever happens here, the cabinet needs no other list."""
    assert fetched(cabinet, at) in {200, 304}
    yield
    assert fetched(cabinet, at + MINUTE) == 304


def test_a_cabinet_opens_by_the_list_it_holds(k1: Firmware, session: Session) -> None:
    assert fetched(k1, AT) == 200
    code = hall.code(session, "YT1")
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    assert k1.enter(TAIL, wrong, AT + HOUR) is None
    assert k1.enter("9999", code, AT + HOUR) is None
    assert k1.enter(TAIL, code, AT + HOUR) == 4
    assert k1.enter(TAIL, code, AT + HOUR + MINUTE) is None  # each code once


def test_five_failures_lock_a_tail_without_a_network_too(k1: Firmware, session: Session) -> None:
    fetched(k1, AT)
    for _ in range(5):
        assert k1.enter(TAIL, "wrong", AT + HOUR) is None
    code = hall.code(session, "YT1")
    assert k1.enter(TAIL, code, AT + HOUR + MINUTE) is None
    assert k1.enter(TAIL, code, AT + HOUR + 16 * MINUTE) == 4


def test_a_list_opens_nothing_after_a_day(k1: Firmware, session: Session) -> None:
    fetched(k1, AT)
    assert k1.enter(TAIL, hall.code(session, "YT1"), AT + 24 * HOUR) is None


def test_the_list_says_no_more_than_it_has_to(k1: Firmware, session: Session) -> None:
    content = k1.read(sealed_at(k1, AT))
    assert set(content) == {
        *("version", "cabinet", "issued_at", "valid_until", "sequence", "key", "limits", "codes"),
    }
    [entry] = content["codes"]
    [parcel] = hall.ask(session, "SELECT id FROM parcel")
    assert {**entry, "verifier": None} == {
        "parcel_id": parcel["id"],
        "compartment": 4,
        "verifier": None,
        "not_after": None,
        "kind": "recipient",
    }
    assert content["issued_at"] == AT.isoformat()
    assert content["valid_until"] == (AT + timedelta(hours=24)).isoformat()
    said = json.dumps(content, ensure_ascii=False)
    assert not [secret for secret in (*PERSONAL, hall.code(session, "YT1")) if secret in said]


def test_the_page_for_makers_shows_what_is_sent(k1: Firmware) -> None:
    shown = json.loads(PAGE.partition("```json\n")[2].partition("```")[0])
    sealed = sealed_at(k1, AT)
    content = k1.read(sealed)
    assert [set(shown), set(shown["limits"])] == [set(content), set(content["limits"])]
    assert set(shown["codes"][0]) == set(content["codes"][0])
    issued_at = datetime.fromisoformat(shown["issued_at"])
    assert shown["sequence"] == issued_at.timestamp() * 1000
    envelope = jwe.decrypt_compact(sealed, k1.key, algorithms=["ECDH-ES+A256KW", "A256GCM"])
    assert envelope.plaintext is not None
    inside = jws.extract_compact(envelope.plaintext).headers()
    for header in (envelope.headers(), inside):
        kept = {name: header[name] for name in ("alg", "enc", "typ", "cty") if name in header}
        assert json.dumps(kept, separators=(",", ":"))[:-1] + ',"kid":…}' in PAGE


def test_every_list_has_a_key_of_its_own(k1: Firmware) -> None:
    first, second = k1.read(sealed_at(k1, AT)), k1.read(sealed_at(k1, AT + MINUTE))
    assert first["key"] != second["key"]
    assert first["codes"][0]["verifier"] != second["codes"][0]["verifier"]
    assert first["sequence"] < second["sequence"]


def test_another_cabinets_key_cannot_read_it(community: Community, k1: Firmware) -> None:
    hall.add_cabinet(community, code="K2")
    k2 = installed(community, "K2")
    with pytest.raises(JoseError):
        k2.read(sealed_at(k1, AT))


def test_a_list_passed_on_to_another_cabinet_is_refused(community: Community, k1: Firmware) -> None:
    hall.add_cabinet(community, code="K2")
    k2 = installed(community, "K2")
    k2.key = k1.key  # a maker who gave two cabinets one key
    with pytest.raises(RefusedListError):
        k2.take(sealed_at(k1, AT))


def test_a_forged_list_is_refused(k1: Firmware) -> None:
    content = k1.read(sealed_at(k1, AT))
    signature = {"alg": "Ed25519", "typ": "huilin-offline-list"}
    forger = OKPKey.generate_key("Ed25519")
    signed = jws.serialize_compact(signature, json.dumps(content), forger, algorithms=["Ed25519"])
    envelope = {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "cty": "JOSE"}
    forged = jwe.encrypt_compact(envelope, signed, k1.key, algorithms=[*envelope.values()][:2])
    with pytest.raises(BadSignatureError):
        k1.take(forged)


def test_an_older_list_is_refused(k1: Firmware) -> None:
    old = sealed_at(k1, AT)
    fetched(k1, AT + MINUTE)
    with pytest.raises(RefusedListError):
        k1.take(old)


def test_a_list_is_fetched_again_only_when_it_says_something_new(
    community: Community, k1: Firmware, session: Session
) -> None:
    assert fetched(k1, AT) == 200
    with unchanged(k1, AT):
        hall.say(community, "device.heartbeat", AT, cameras="ok")
        hall.pick_up(community, "000000", AT)
    hall.deposit(community, "YT2", AT)
    assert fetched(k1, AT + 2 * MINUTE) == 200
    anas(community, "code", AT + 2 * MINUTE)
    assert fetched(k1, AT + 2 * MINUTE) == 200
    hall.collect(community, "YT2", AT + 3 * MINUTE)
    assert fetched(k1, AT + 3 * MINUTE) == 200
    assert fetched(k1, AT + 3 * MINUTE) == 304
    assert [entry["compartment"] for entry in (k1.held or {})["codes"]] == [4]


def test_another_cabinets_parcels_change_nothing(community: Community, k1: Firmware) -> None:
    hall.add_cabinet(community, code="K2")
    with unchanged(k1, AT):
        hall.deposit(community, "YT2", AT, cabinet="K2")


def test_who_polls_never_holds_a_list_that_is_about_to_end(k1: Firmware) -> None:
    for minutes in range(0, 48 * 60, 30):
        at = AT + minutes * MINUTE
        fetched(k1, at)
        until = datetime.fromisoformat((k1.held or {})["valid_until"])
        assert until - at >= timedelta(hours=18)


def test_a_list_is_no_resource_for_caches(k1: Firmware) -> None:
    with clock.at(AT):
        answer = k1.client.get(LIST, headers=k1.headers)
        again = k1.client.get(LIST, headers=k1.headers | {"If-None-Match": answer.headers["ETag"]})
    assert answer.headers["ETag"].startswith('W/"')
    assert set(answer.headers["Cache-Control"].split(", ")) == {"private", "no-cache"}
    assert (again.status_code, again.get_data()) == (304, b"")


def test_a_locked_code_is_left_out_until_it_is_free(community: Community, k1: Firmware) -> None:
    fetched(k1, AT)
    for _ in range(5):
        hall.pick_up(community, "wrong", AT)
    assert fetched(k1, AT + MINUTE) == 200
    assert (k1.held or {})["codes"] == []
    assert fetched(k1, AT + 16 * MINUTE) == 200
    assert len((k1.held or {})["codes"]) == 1


def test_a_delegates_code_is_in_it_until_it_expires_and_staffs_never(
    community: Community, k1: Firmware, session: Session
) -> None:
    until = AT + 2 * HOUR
    given = anas(community, "delegates", AT, name="邻居", expires_at=until.isoformat())
    delegates, staffs = given["code"], staffs_code(session, AT, until)
    assert fetched(k1, AT) == 200
    assert {(e["kind"], e["not_after"]) for e in (k1.held or {})["codes"]} == {
        ("recipient", None),
        ("delegate", until.isoformat()),
    }
    assert k1.enter(TAIL, staffs, AT + HOUR) is None
    assert k1.enter(TAIL, delegates, until) is None
    assert k1.enter(TAIL, delegates, until - MINUTE) == 4
    k1.outbox = []
    assert fetched(k1, until) == 200
    assert [entry["kind"] for entry in (k1.held or {})["codes"]] == ["recipient"]


def test_a_code_sealed_by_another_installation_spoils_no_list(
    k1: Firmware, session: Session
) -> None:
    hall.ask(session, "UPDATE pickup_code SET sealed = 'no seal of ours' RETURNING id")
    session.commit()
    assert k1.read(sealed_at(k1, AT))["codes"] == []


def test_no_log_line_tells_a_code_or_a_list(
    k1: Firmware, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "log", structlog.get_logger())  # the one there keeps its first way
    with capture_logs() as logs:
        sealed = sealed_at(k1, AT)
    logged = str(logs)
    assert LIST in logged
    told = (hall.code(session, "YT1"), k1.read(sealed)["key"], sealed[:40])
    assert not [secret for secret in told if secret in logged]
