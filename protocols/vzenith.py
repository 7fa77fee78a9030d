"""Vzenith (臻识) cameras and their compatibles (AlphaDigi, QianYi): HTTP push of plate reads.

The camera runs the answer: `info: "ok"` pulses the barrier relay even for a record it
replays from its buffer, so a replay is only ever acknowledged. Cameras post any message to
any of their paths; the body's leading key tells what it is.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request

from core import clock
from core.app import settings
from core.db import Session, atomic, swift
from core.errors import Problem
from core.http import LARGEST_ID, mend
from devices import events, registry
from devices.events import Event, Receipt
from parking import access, plates
from protocols import led485

blueprint = Blueprint("vzenith", __name__)

COLORS = {1: "blue", 2: "yellow", 3: "white", 4: "black", 5: "green", 6: "green"}
PATHS = "plateresult,quickplateresult,receivedeviceinfo,gio,serial"
LONGEST_READ = 32


@blueprint.post(f"/d/<token>/devicemanagement/php/<any({PATHS}):_path>.php")
def push(token: str, _path: str) -> Response:
    """Any message of the camera."""
    if request.mimetype == "multipart/form-data":
        return _alive(token, {"status": "ok"})
    try:
        return _answer(token, read(request.get_data(cache=True)))
    except Problem:
        atomic(registry.authenticate, token, clock.now())  # a stranger learns only 401
        raise


def _answer(token: str, message: dict[str, Any]) -> Response:
    for key, handle in HANDLERS.items():
        if key in message:
            return handle(token, message)
    raise Problem(422, "unknown-message", "No message of this maker begins like this.")


def _plate(token: str, message: dict[str, Any]) -> Response:
    now = clock.now()
    result = _plate_result(message)
    event = plate_event(result, request.get_data(cache=True), now)
    serial = message["AlarmInfoPlate"].get("serialno")
    receipt = swift(
        access.answer,
        event,
        token_digest=registry.digest(token),
        plate=_seen_plate(result),
        zone=settings().zone,
        serial=None if serial is None else str(serial),
    )
    return jsonify({"Response_AlarmInfoPlate": render(result, receipt)})


def _heartbeat(token: str, _message: dict[str, Any]) -> Response:
    idle = {"info": "no", "serialData": [], "shutoff": "no", "snapnow": "no"}
    return _alive(token, {"Response_Heartbeat": idle})


def _gio(token: str, _message: dict[str, Any]) -> Response:
    return _alive(token, {})


def _serial(token: str, _message: dict[str, Any]) -> Response:
    return _alive(token, {"Response_SerialData": {"serialData": []}})


HANDLERS: dict[str, Callable[[str, dict[str, Any]], Response]] = {
    "AlarmInfoPlate": _plate,
    "heartbeat": _heartbeat,
    "AlarmGioIn": _gio,
    "SerialData": _serial,
}


def read(body: bytes) -> dict[str, Any]:
    """The JSON object in a body: NULs stripped, UTF-8 else GB18030. Raises Problem 400."""
    stripped = body.strip(b"\x00")
    try:
        text = stripped.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = stripped.decode("gb18030", "replace")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "bad-json", "The body is not JSON.") from error
    if not isinstance(message, dict):
        raise Problem(422, "invalid", "The body must be a JSON object.")
    return message


def plate_event(result: dict[str, Any], raw: bytes, now: datetime) -> Event:
    """The camera's plate read as an event. Its times may be absent; then ours counts.

    One read has one key: a quick result and the final one that only gained confidence are
    the same, a corrected plate is not. Raises Problem 422 for a time no clock can mean.
    """
    taken = _taken_at(result)
    if taken and not events.plausible(taken, now):
        raise Problem(
            422,
            "invalid",
            "The camera's clock is wrong.",
            errors={"timeStamp": ["must lie within the last 400 days"]},
        )
    number, color = _number(result.get("plateid")), _color(result)
    plate = plates.normalise(_license(result))
    when = taken.isoformat() if taken else int(now.timestamp()) // 10
    return Event(
        key=f"plate/{number}/{when}/{_trace(plate, color)}",
        type="gate.request",
        occurred_at=taken or now,
        recorded_at=now,
        data={"plate": plate, "plate_color": color, "plateid": number},
        raw=raw,
        replayed=_is_replay(result),
    )


def render(result: dict[str, Any], receipt: Receipt) -> dict[str, Any]:
    """Our decision in the camera's words; a replayed record is acknowledged, never obeyed."""
    number = _number(result.get("plateid"))
    if _is_replay(result):
        return {
            "info": "no",
            "content": "retransfer_stop",
            "ContinuePushOffline": {"plateid": number, "continue": 1},
        }
    decision = receipt.decision or {"action": "hold", "display": [], "voice": ""}
    opens = decision["action"] == "open"
    answer: dict[str, Any] = {"info": "ok" if opens else "no"}
    if receipt.display == "tts":
        return answer | {"plateid": number} | _spoken(decision["voice"], opens)
    if opens:
        answer["channelNum"] = 0
    answer |= {"plateid": number, "content": "retransfer_stop"}
    answer |= {"is_pay": "true" if opens else "false", "serialData": []}
    if receipt.display == "led-485":
        color = led485.GREEN if opens else led485.RED
        frame = led485.display(decision["display"], decision["voice"], color)
        answer["serialData"] = [{"serialChannel": 0, "data": _base64(frame), "dataLen": len(frame)}]
    return answer


def _spoken(voice: str, opens: bool) -> dict[str, Any]:
    said: dict[str, Any] = {
        "playserver_json_request": {
            "type": "ps_voice_play",
            "voice": _base64(voice.encode()),
            "voice_interval": 0,
            "voice_volume": 80,
            "voice_male": 1,
        }
    }
    return said | {"ivs_ioctrl": {"io": 0, "value": 2, "delay": 500}} if opens else said


def _alive(token: str, answer: dict[str, Any]) -> Response:
    atomic(_note_alive, token, clock.now())
    return jsonify(answer)


def _note_alive(session: Session, token: str, now: datetime) -> None:
    registry.authenticate(session, token, now).last_seen_at = now


def _plate_result(message: dict[str, Any]) -> dict[str, Any]:
    try:
        result = message["AlarmInfoPlate"]["result"]["PlateResult"]
    except (KeyError, TypeError) as error:
        raise _no_result() from error
    if not isinstance(result, dict):
        raise _no_result()
    return result


def _no_result() -> Problem:
    return Problem(
        422,
        "invalid",
        "The request breaks a rule.",
        errors={"AlarmInfoPlate": ["must hold result.PlateResult"]},
    )


def _seen_plate(result: dict[str, Any]) -> plates.Plate | None:
    """An unreadable, false or impossible plate is no plate: a person must look."""
    if _number(result.get("is_fake_plate")) == 1:
        return None
    return plates.parse(_license(result), _color(result))


def _license(result: dict[str, Any]) -> str:
    """What was read, as text that can be stored."""
    read_text = result.get("license")
    return mend(read_text[:LONGEST_READ]) if isinstance(read_text, str) else ""


def _color(result: dict[str, Any]) -> str:
    return COLORS.get(_number(result.get("colorType")) or 0, "unknown")


def _is_replay(result: dict[str, Any]) -> bool:
    return result.get("isoffline") in (1, "1")


def _trace(plate: str, color: str) -> str:
    """Tells the reads of one moment apart, and is too short to tell the plate: keys are kept."""
    return hashlib.sha256(f"{plate} {color}".encode()).hexdigest()[:4]


def _taken_at(result: dict[str, Any]) -> datetime | None:
    stamp = result.get("timeStamp")
    value = stamp.get("Timeval") if isinstance(stamp, dict) else None
    seconds = value.get("sec") if isinstance(value, dict) else None
    if not isinstance(seconds, int) or not isinstance(value, dict):
        return None
    micros = (_number(value.get("usec")) or 0) % 1_000_000
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
    except (ValueError, OverflowError, OSError):
        return datetime.min.replace(tzinfo=UTC)


def _number(value: Any) -> int | None:
    """A whole number that the database can hold."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if abs(value) <= LARGEST_ID else None


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
