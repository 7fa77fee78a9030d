"""A Vzenith camera as it behaves: posts its messages, with whatever headers it likes."""

import copy
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from core.db import atomic
from devices import registry
from tests.cast import Community

SAMPLES = Path(__file__).parent / "samples"
SERIAL = "5c1e07a2-9b44d3f6"
READ_AT = datetime(2026, 11, 23, 0, 15, 42, 318406, tzinfo=UTC)
"""When the car of sample 01 stood at the gate."""

SECOND = timedelta(seconds=1)


def sample(name: str) -> Any:
    """A sample message or answer, parsed."""
    return json.loads((SAMPLES / name).read_text("utf-8"))


def entry(**changes: Any) -> dict[str, Any]:
    """Sample 01 with some of the plate result's fields changed; None takes a field away."""
    message: dict[str, Any] = copy.deepcopy(sample("01_vzenith_plate_entry.json"))
    result = message["AlarmInfoPlate"]["result"]["PlateResult"]
    for name, value in changes.items():
        if value is None:
            del result[name]
        else:
            result[name] = value
    return message


@dataclass
class Camera:
    """One camera with its token."""

    community: Community
    token: str

    def push(
        self,
        message: Any,
        at: datetime = READ_AT + SECOND,
        *,
        path: str = "plateresult",
        content_type: str = "application/Json",
        token: str | None = None,
    ) -> TestResponse:
        """Post a message (bytes go as they are) that arrives at `at`."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        address = f"/d/{token or self.token}/devicemanagement/php/{path}.php"
        with clock.at(at):
            return self.community.client.post(address, data=body, content_type=content_type)

    def told(self, message: Any, at: datetime = READ_AT + SECOND) -> dict[str, Any]:
        """What the camera is told about a plate."""
        answer = self.push(message, at)
        assert answer.status_code == 200, answer.get_json()
        told: dict[str, Any] = answer.get_json()["Response_AlarmInfoPlate"]
        return told


def camera(community: Community, lane: str, display: str, serial: str = SERIAL) -> Camera:
    """A camera in a lane of the community's garage."""

    def build(session: Session) -> str:
        return registry.register(
            session, code=f"vz-{lane}", serial=serial, kind="camera", lane=lane, display=display
        ).token

    return Camera(community, atomic(build))
