"""Round trips that the events of vehicles take: they come, leave and pay, each step counted."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask.testing import FlaskClient

from bench import events
from bench.garages import Garages, token
from bench.relay import Relay, relayed, usual_trips

TIMES = 16
"""How often each kind of event is sent."""

LIVE = ("entry", "exit with payment due", "exit when paid", "repeat")


def count(garages: Garages) -> dict[str, int]:
    """The round trips that each kind of event takes."""
    with relayed(garages.ground) as (relay, client):
        return _Walk(garages, relay, client).counts()


class _Walk:
    """Vehicles that come, leave and pay, one after the other, each step counted."""

    def __init__(self, garages: Garages, relay: Relay, client: FlaskClient) -> None:
        self.garages = garages
        self.relay = relay
        self.client = client
        self.now = datetime.now(UTC)
        self.plates = [events.plate(0, n) for n in range(TIMES)]

    def counts(self) -> dict[str, int]:
        """Each kind of event and its round trips."""
        found = {"entry": self._all("entry", "walk-in")}
        found["repeat"] = self._all("entry", "walk-in")
        self.garages.age_stays(hours=3)
        found["exit with payment due"] = self._all("exit", "payment-due")
        self.garages.pay_all()
        found["exit when paid"] = self._all("exit", "paid", prefix="again")
        found["replay"] = self._all("entry", "replayed", prefix="late", replayed=True)
        self.garages.reset()
        return {name: found[name] for name in (*LIVE, "replay")}

    def _all(self, direction: str, reason: str, prefix: str = "", **data: Any) -> int:
        bodies = [events.body(prefix or direction, p, self.now, **data) for p in self.plates]
        return usual_trips(
            self.relay, [partial(self._one, direction, reason, body) for body in bodies]
        )

    def _one(self, direction: str, reason: str, body: bytes) -> None:
        answer = self.client.post(
            events.EVENTS,
            data=body,
            headers={
                "Authorization": f"Bearer {token(direction, 1)}",
                "Content-Type": "application/json",
            },
        )
        told = answer.get_json()
        assert answer.status_code == 200, told
        assert told["decision"]["reason"] == reason, told
