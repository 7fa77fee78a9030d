"""Round trips to the database, counted on the wire by a relay in front of its socket."""

import selectors
import socket
import statistics
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flask.testing import FlaskClient

from bench.ground import Ground, quiet_app
from core.db import db

LATENCY_SECONDS = 0.005
"""How long answers travel; far longer than the app needs to send what it need not wait for."""


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


@contextmanager
def relayed(ground: Ground) -> Iterator[tuple[Relay, FlaskClient]]:
    """A client of the product whose database lies behind a relay."""
    with tempfile.TemporaryDirectory() as directory:
        relay = Relay(Path(directory), ground.socket)
        thread = threading.Thread(target=relay.serve, daemon=True)
        thread.start()
        app = quiet_app(ground.url.replace(str(ground.socket.parent), directory))
        try:
            yield relay, app.test_client()
        finally:
            with app.app_context():
                db.engine.dispose()
            relay.stop()
            thread.join()


def usual_trips(relay: Relay, calls: Sequence[Callable[[], None]]) -> int:
    """The round trips that most calls take, once statements are prepared (on their fifth use)."""
    counted = []
    for call in calls:
        before = relay.trips
        call()
        counted.append(relay.trips - before)
    return statistics.mode(counted[len(calls) // 2 :])
