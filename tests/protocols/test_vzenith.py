"""What Vzenith cameras and their compatibles say, and exactly what they are answered."""

import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from core.db import atomic
from parking.plates import Plate
from sharing import granting
from tests.cast import NOON, Community, found_community
from tests.protocols.camera import READ_AT, SAMPLES, SECOND, Camera, camera, entry, sample

GREEN = "沪AD61827"
BLUE = "苏E7K83M"
ENTRY = "01_vzenith_plate_entry.json"
REPLAY = "02_vzenith_plate_offline_replay.json"
NO_PLATE = "03_vzenith_plate_noplate.json"
HEARTBEAT = "08_vzenith_heartbeat_form.http"
BLUE_CAR = {"license": BLUE, "colorType": 1}


@pytest.fixture
def gate(community: Community) -> Camera:
    """An entry camera with a board that shows and speaks."""
    return camera(community, "entry", "led-485")


def same_bytes(one: Any, other: Any) -> bool:
    """Equal as JSON text, the order of keys included."""
    return json.dumps(one) == json.dumps(other)


def permit(plate: Plate) -> None:
    atomic(
        lambda session: granting.grant_permit(
            session,
            lot="B2",
            kind="resident",
            plates=[plate],
            starts_at=NOON - timedelta(days=30),
            ends_at=NOON + timedelta(days=30),
        )
    )


def events(session: Session) -> int:
    found = session.scalar(text("SELECT count(*) FROM device_event"))
    session.rollback()
    return found or 0


def test_a_permit_holder_is_let_in_as_the_sample_says(gate: Camera) -> None:
    permit(Plate(GREEN, "green"))
    answer = gate.push((SAMPLES / ENTRY).read_bytes())
    assert answer.status_code == 200
    assert same_bytes(answer.get_json(), sample("answer_vzenith_open.json"))
    [stay] = gate.community.stays(GREEN)
    assert (stay["status"], stay["right"]) == ("open", "permit")
    assert stay["entered_at"] == READ_AT.isoformat()


def test_a_stranger_is_turned_away_as_the_sample_says(app: Flask) -> None:
    gate = camera(found_community(app, takes_walk_ins=False), "entry", "led-485")
    answer = gate.push(entry(**BLUE_CAR))
    assert same_bytes(answer.get_json(), sample("answer_vzenith_deny.json"))
    assert gate.community.stays() == []


def test_the_built_in_voice_as_the_sample_says(community: Community) -> None:
    gate = camera(community, "entry", "tts")
    permit(Plate(GREEN, "green"))
    answer = gate.push(sample(ENTRY))
    assert same_bytes(answer.get_json(), sample("answer_vzenith_open_builtin_tts.json"))


def test_the_built_in_voice_of_a_closed_gate_moves_no_relay(community: Community) -> None:
    told = camera(community, "entry", "tts").told(sample(NO_PLATE), NOON)
    assert told["info"] == "no"
    assert "ivs_ioctrl" not in told


def test_a_replay_is_acknowledged_and_booked_never_obeyed(gate: Camera) -> None:
    permit(Plate(BLUE, "blue"))
    answer = gate.push((SAMPLES / REPLAY).read_bytes())
    assert same_bytes(answer.get_json(), sample("answer_vzenith_offline_ack.json"))
    [stay] = gate.community.stays(BLUE)
    assert (stay["status"], stay["entered_at"]) == ("open", "2026-11-22T19:02:09.077120+00:00")


def test_a_replay_of_this_second_never_opens_however_the_flag_is_written(gate: Camera) -> None:
    for number, flag in enumerate((1, "1", True)):
        told = gate.told(entry(isoffline=flag, plateid=number))
        assert told["info"] == "no"
        assert told["ContinuePushOffline"] == {"plateid": number, "continue": 1}


def test_a_car_without_a_plate_waits_for_a_person(gate: Camera) -> None:
    told = gate.told((SAMPLES / NO_PLATE).read_bytes(), READ_AT + timedelta(minutes=2))
    assert (told["info"], told["plateid"]) == ("no", 40219)
    cases = gate.community.client.get(
        "/api/v1/exceptions", headers=gate.community.as_person("olga")
    ).get_json()
    assert [(case["reason"], case["plate"], case["device"]) for case in cases] == [
        ("no-plate", None, "vz-entry")
    ]


def test_every_way_to_say_no_plate(gate: Camera) -> None:
    for read in ("无牌车", "No Plate", "", "_无_", "x", "沪沪沪"):
        assert gate.told(entry(license=read))["info"] == "no", read
    assert gate.told(entry(is_fake_plate=1))["info"] == "no"
    assert gate.community.stays() == []


def test_a_retry_gets_the_same_answer_and_a_later_one_no_opening(
    gate: Camera, session: Session
) -> None:
    first = gate.told(sample(ENTRY), READ_AT + SECOND)
    retry = gate.told(sample(ENTRY), READ_AT + 11 * SECOND)
    later = gate.told(sample(ENTRY), READ_AT + 12 * SECOND)
    assert (first["info"], retry, later["info"]) == ("ok", first, "no")
    assert len(gate.community.stays()) == 1
    assert events(session) == 1


def test_a_quick_read_and_its_better_successor_are_one_read(gate: Camera, session: Session) -> None:
    quick = gate.push(entry(confidence=61), path="quickplateresult").get_json()
    final = gate.push(entry(confidence=97)).get_json()
    assert quick["Response_AlarmInfoPlate"]["info"] == "ok"
    assert final == quick
    assert events(session) == 1


def test_a_corrected_read_is_a_read_of_its_own(gate: Camera) -> None:
    gate.told(entry(license="沪AD6182", colorType=1))
    assert gate.told(entry())["info"] == "ok"
    assert {stay["plate"] for stay in gate.community.stays()} == {"沪AD6182", GREEN}


def test_a_camera_that_sends_no_time_is_heard_at_ours(gate: Camera) -> None:
    lean = entry(timeStamp=None, confidence=None, colorValue=None, location=None, timeUsed=None)
    first = gate.told(lean, NOON)
    retry = gate.told(lean, NOON + SECOND)
    across_ten_seconds = gate.told(lean, NOON + 10 * SECOND)
    assert [told["info"] for told in (first, retry, across_ten_seconds)] == ["ok", "ok", "ok"]
    [stay] = gate.community.stays(GREEN)
    assert stay["entered_at"] == NOON.isoformat()


def test_a_plate_is_enough(gate: Camera) -> None:
    message = {"AlarmInfoPlate": {"result": {"PlateResult": {"license": "川A·12345"}}}}
    told = gate.told(message, NOON)
    assert (told["info"], told["plateid"]) == ("ok", None)
    assert [stay["plate"] for stay in gate.community.stays()] == ["川A12345"]


def test_less_than_a_plate_is_no_plate(gate: Camera) -> None:
    assert gate.told({"AlarmInfoPlate": {"result": {"PlateResult": {}}}})["info"] == "no"


def gbk(message: dict[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode("gbk")


def test_other_firmware_sends_other_bodies(gate: Camera) -> None:
    cars = [{"license": f"苏E7K8{number}M", "plateid": number} for number in range(5)]
    utf_8 = [json.dumps(entry(**car)).encode() for car in cars]
    bodies = [
        (utf_8[0], "application/x-www-form-urlencoded"),
        (utf_8[1], ""),
        (b"\x00\x00\x00" + utf_8[2] + b"\x00", "application/Json"),
        (b"\xef\xbb\xbf" + utf_8[3], "application/Json"),
        (gbk(entry(**cars[4])), "application/Json"),
    ]
    for body, content_type in bodies:
        answer = gate.push(body, content_type=content_type)
        assert answer.get_json()["Response_AlarmInfoPlate"]["info"] == "ok"
    assert [stay["plate"] for stay in gate.community.stays()] == [car["license"] for car in cars]


def test_a_message_is_known_by_its_leading_key_not_its_path(gate: Camera) -> None:
    answers = {
        "05_vzenith_gio_in.json": {},
        "06_vzenith_serial_in.json": {"Response_SerialData": {"serialData": []}},
        "09_alphadigi_heartbeat.json": sample("answer_alphadigi_heartbeat.json"),
    }
    paths = ["plateresult", "quickplateresult", "receivedeviceinfo", "gio", "serial"]
    for number, path in enumerate(paths):
        told = gate.push(entry(plateid=number, license=f"苏E7K8{number}M"), path=path).get_json()
        assert told["Response_AlarmInfoPlate"]["info"] == "ok"
        for name, wanted in answers.items():
            answer = gate.push((SAMPLES / name).read_bytes(), path=path)
            assert (answer.status_code, same_bytes(answer.get_json(), wanted)) == (200, True)


def heartbeat() -> tuple[bytes, str]:
    """Body and content type of the sample heartbeat, which carries the camera's password."""
    head, _, body = (SAMPLES / HEARTBEAT).read_bytes().partition(b"\r\n\r\n")
    [content_type] = [h for h in head.decode().split("\r\n") if h.startswith("Content-Type: ")]
    return body, content_type.removeprefix("Content-Type: ")


def test_the_password_in_a_heartbeat_is_kept_nowhere(
    gate: Camera, session: Session, caplog: pytest.LogCaptureFixture
) -> None:
    body, content_type = heartbeat()
    assert b"REDACT-ME" in body
    with capture_logs() as logs:
        answer = gate.push(body, NOON, path="receivedeviceinfo", content_type=content_type)
        assert gate.push(body[:-99], NOON, content_type=content_type).status_code == 200
        assert gate.push(body, NOON, content_type="text/plain").status_code == 400
    assert same_bytes(answer.get_json(), sample("answer_vzenith_heartbeat_idle.json"))
    assert "REDACT-ME" not in f"{logs} {caplog.text}"
    everything = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    for table in session.scalars(text(everything)).all():
        rows = session.scalars(text(f'SELECT t::text FROM "{table}" t')).all()
        assert not any("REDACT-ME" in row or b"REDACT-ME".hex() in row for row in rows)
    assert session.scalar(text("SELECT last_seen_at FROM device WHERE code = 'vz-entry'")) == NOON


def test_any_message_shows_that_the_camera_lives(gate: Camera, session: Session) -> None:
    gate.push((SAMPLES / "09_alphadigi_heartbeat.json").read_bytes(), NOON)
    assert session.scalar(text("SELECT last_seen_at FROM device WHERE code = 'vz-entry'")) == NOON


def wrong_serial(serial: Any) -> dict[str, Any]:
    message = entry()
    message["AlarmInfoPlate"]["serialno"] = serial
    return message


def at_second(second: Any) -> dict[str, Any]:
    return entry(timeStamp={"Timeval": {"sec": second, "usec": 0}})


HUGE = json.dumps(entry(imageFile="A" * 9_000_000)).encode()

REFUSED = {
    "empty": (b"", 400, "bad-json"),
    "truncated": (json.dumps(entry()).encode()[:-40], 400, "bad-json"),
    "truncated gbk": (gbk(entry())[:700], 400, "bad-json"),
    "nothing but nuls": (b"\x00" * 9, 400, "bad-json"),
    "deep": (b'{"AlarmInfoPlate":' + b"[" * 100_000, 400, "bad-json"),
    "an endless number": (b'{"heartbeat":' + b"9" * 9_000 + b"}", 400, "bad-json"),
    "9 MB": (HUGE, 413, "request-entity-too-large"),
    "a list": (b"[]", 422, "invalid"),
    "an unknown message": (b'{"AlarmSomething": {}}', 422, "unknown-message"),
    "no object": (b'{"AlarmInfoPlate": 5}', 422, "invalid"),
    "no result": (b'{"AlarmInfoPlate": {"result": {}}}', 422, "invalid"),
    "a listed result": (b'{"AlarmInfoPlate": {"result": {"PlateResult": []}}}', 422, "invalid"),
    "another serial": (wrong_serial("5c1e07a2-00000000"), 403, "wrong-serial"),
    "a serial that is no text": (wrong_serial(7), 403, "wrong-serial"),
    "1970": (at_second(0), 422, "invalid"),
    "before any time": (at_second(-(10**12)), 422, "invalid"),
    "2999": (at_second(32_472_144_000), 422, "invalid"),
    "beyond any time": (at_second(10**30), 422, "invalid"),
}


def test_what_is_no_message_is_refused_and_changes_nothing(gate: Camera, session: Session) -> None:
    for name, (body, status, code) in REFUSED.items():
        answer = gate.push(body)
        said = answer.get_json()
        assert (name, answer.status_code, said.get("code")) == (name, status, code)
        assert answer.mimetype == "application/problem+json"
    assert events(session) == 0
    assert gate.community.stays() == []


def test_a_stranger_learns_only_that_it_is_one(gate: Camera, session: Session) -> None:
    bodies = [body for body, status, _ in REFUSED.values() if status != 413]
    for body in [*bodies, sample(ENTRY), (SAMPLES / "05_vzenith_gio_in.json").read_bytes()]:
        assert gate.push(body, token="nobodys-token").status_code == 401
    form, content_type = heartbeat()
    assert gate.push(form, content_type=content_type, token="nobodys").status_code == 401
    assert events(session) == 0


STRANGE = {
    "a plate with a NUL": entry(license="沪A\u0000D61827", timeStamp=None),
    "a lone surrogate": entry(license="\ud800", timeStamp=None),
    "a plate of a megabyte": entry(license="沪" * 1_000_000, timeStamp=None),
    "SQL for a plate": entry(license="'; DROP TABLE stay; --", timeStamp=None),
    "a plate that is no text": entry(license={"a": ["沪"]}),
    "an endless plateid": entry(plateid=10**4000),
    "a plateid that is no number": entry(plateid={"$gt": 0}),
    "a colour of no kind": entry(license="x", colorType=[5]),
    "a confidence that is no number": entry(license="x", confidence=float("nan")),
    "a time that is no number": entry(license="x", timeStamp={"Timeval": {"sec": "now"}}),
    "a time that is no time": entry(license="x", timeStamp=["Timeval"]),
    "an endless microsecond": entry(
        license="x", timeStamp={"Timeval": {"sec": 1795392942, "usec": 10**100}}
    ),
}


def test_strange_values_are_heard_and_open_nothing(gate: Camera) -> None:
    for name, message in STRANGE.items():
        answer = gate.push(message)
        assert (name, answer.status_code) == (name, 200)
        opens = "plateid" in name
        info = answer.get_json()["Response_AlarmInfoPlate"]["info"]
        assert (name, info) == (name, "ok" if opens else "no")
    assert [stay["plate"] for stay in gate.community.stays()] == [GREEN]


def test_no_plate_outlives_its_event_in_a_key(gate: Camera, session: Session) -> None:
    gate.told(entry(timeStamp=None))
    [key] = session.scalars(text("SELECT event_key FROM device_event")).all()
    assert GREEN not in key
