"""Round trips to the database, counted on the wire by a relay in front of its socket."""

import selectors
import socket
import statistics
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from bench import events
from bench.ground import Ground, quiet_app, token
from core.config import settings_from_env
from core.db import db

TIMES = 16
"""How often each kind of event is sent; statements are prepared on their fifth use."""

LATENCY_SECONDS = 0.005
"""How long answers travel; far longer than the app needs to send what it need not wait for."""

LIVE = ("entry", "exit with payment due", "exit when paid", "repeat")


class Relay:
    """Passes bytes between the app and PostgreSQL, holding answers back as a network would.

    A round trip is counted whenever the app asks again after it had an answer; what it sends
    without waiting belongs to the same one.
    """

    def __init__(self, directory: Path, upstream: Path) -> None:
        self.trips = 0
        self._upstream = upstream
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / ".s.PGSQL.5432"))
        self._listener.listen()
        self._selector = selectors.DefaultSelector()
        self._stop, self._stopped = socket.socketpair()
        self._held: deque[tuple[float, socket.socket, bytes]] = deque()
        self._answered: dict[socket.socket, bool] = {}

    def serve(self) -> None:
        """Relay until stopped."""
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._stopped, selectors.EVENT_READ, None)
        while True:
            wait = self._held[0][0] - time.monotonic() if self._held else None
            for key, _ in self._selector.select(wait):
                if key.data is None:
                    return
                key.data()
            while self._held and self._held[0][0] <= time.monotonic():
                _, client, part = self._held.popleft()
                self._answered[client] = True
                client.sendall(part)

    def stop(self) -> None:
        """End `serve`."""
        self._stop.send(b".")

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self._upstream))
        self._answered[client] = True

        def ask() -> None:
            if part := client.recv(1 << 20):
                self.trips += self._answered[client]
                self._answered[client] = False
                server.sendall(part)
            else:
                self._selector.unregister(client)
                server.shutdown(socket.SHUT_WR)

        def answer() -> None:
            if part := server.recv(1 << 20):
                self._held.append((time.monotonic() + LATENCY_SECONDS, client, part))
            else:
                self._selector.unregister(server)
                server.close()

        self._selector.register(client, selectors.EVENT_READ, ask)
        self._selector.register(server, selectors.EVENT_READ, answer)


def count(ground: Ground) -> dict[str, int]:
    """The round trips that each kind of event takes, once statements are prepared."""
    with _relayed(ground) as (relay, client):
        return _Walk(ground, relay, client).counts()


@contextmanager
def _relayed(ground: Ground) -> Iterator[tuple[Relay, FlaskClient]]:
    with tempfile.TemporaryDirectory() as directory:
        relay = Relay(Path(directory), ground.socket)
        thread = threading.Thread(target=relay.serve, daemon=True)
        thread.start()
        url = settings_from_env().database_url.replace(str(ground.socket.parent), directory)
        app = quiet_app(url)
        try:
            yield relay, app.test_client()
        finally:
            with app.app_context():
                db.engine.dispose()
            relay.stop()
            thread.join()


class _Walk:
    """Vehicles that come, leave and pay, one after the other, each step counted."""

    def __init__(self, ground: Ground, relay: Relay, client: FlaskClient) -> None:
        self.ground = ground
        self.relay = relay
        self.client = client
        self.now = datetime.now(UTC)
        self.plates = [events.plate(0, n) for n in range(TIMES)]

    def counts(self) -> dict[str, int]:
        """Each kind of event and its round trips."""
        found = {"entry": self._all("entry", "walk-in")}
        found["repeat"] = self._all("entry", "walk-in")
        self.ground.age_stays(hours=3)
        found["exit with payment due"] = self._all("exit", "payment-due")
        self.ground.pay_all()
        found["exit when paid"] = self._all("exit", "paid", prefix="again")
        found["replay"] = self._all("entry", "replayed", prefix="late", replayed=True)
        self.ground.reset()
        return {name: found[name] for name in (*LIVE, "replay")}

    def _all(self, direction: str, reason: str, prefix: str = "", **data: Any) -> int:
        bodies = [events.body(prefix or direction, p, self.now, **data) for p in self.plates]
        counted = [self._one(direction, reason, body) for body in bodies]
        return statistics.mode(counted[TIMES // 2 :])

    def _one(self, direction: str, reason: str, body: bytes) -> int:
        before = self.relay.trips
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
        return self.relay.trips - before
