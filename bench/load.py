"""A lean load generator: keep-alive connections of one process, each sending its own list."""

import gc
import math
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

END_OF_HEADERS = b"\r\n\r\n"
GOOD = (b"200", b"201")

Request = bytes | Callable[[bytes], bytes]
"""What is sent, or how that is made of the answer before, head and body."""


@dataclass(slots=True)
class Run:
    """What came back: times in nanoseconds, and how many answers said what was expected."""

    answered: int = 0
    expected: int = 0
    seconds: float = 0.0
    busy_seconds: float = 0.0
    app_seconds: float = 0.0
    database_seconds: float = 0.0
    times: list[int] = field(default_factory=list)
    odd: bytes = b""

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.answered / self.seconds

    def milliseconds(self, share: float) -> float:
        """The time within which this share of the answers came; not a number if none was taken."""
        if not self.times:
            return math.nan
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6


@dataclass(slots=True)
class _Line:
    """One connection: what is still to send, since when we wait, what came so far."""

    socket: socket.socket
    requests: Iterator[Request]
    since: int = 0
    got: bytes = b""

    def send_next(self) -> bool:
        """Send the next request; False when there is none."""
        request = next(self.requests, None)
        if request is None:
            return False
        if not isinstance(request, bytes):
            request = request(self.got)
        self.got = b""
        self.since = time.perf_counter_ns()
        self.socket.sendall(request)
        return True

    def whole(self) -> bool:
        """Read on; whether the answer is there to its last byte."""
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionError("the server closed a connection")
        self.got += part
        head, found, body = self.got.partition(END_OF_HEADERS)
        return bool(found) and len(body) >= _length(head)


def post(path: str, token: str, body: bytes, key: str | None = None) -> bytes:
    """The bytes of a JSON POST, with an Idempotency-Key if one is given."""
    once = f"Idempotency-Key: {key}\r\n" if key else ""
    return (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n{once}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def get(path: str, token: str) -> bytes:
    """The bytes of a GET."""
    head = f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n"
    return head.encode()


def drive(port: int, lists: Sequence[Sequence[Request]], expect: bytes) -> Run:
    """Send every list over a connection of its own, all at once, each request after its answer."""
    run = Run()
    gc.collect()
    gc.disable()
    try:
        with ExitStack() as held:
            sockets = [
                held.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in lists
            ]
            lines = {
                s.fileno(): _Line(s, iter(each)) for s, each in zip(sockets, lists, strict=True)
            }
            _exchange(run, lines, expect)
    finally:
        gc.enable()
    return run


def _exchange(run: Run, lines: dict[int, _Line], expect: bytes) -> None:
    poll = select.epoll()
    began, busy = time.perf_counter(), time.process_time()
    waiting = 0
    for number, line in lines.items():
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poll.register(number, select.EPOLLIN)
        waiting += line.send_next()
    while waiting:
        for number, _ in poll.poll():
            line = lines[number]
            if not line.whole():
                continue
            run.times.append(time.perf_counter_ns() - line.since)
            if expect in line.got and line.got[9:12] in GOOD:
                run.expected += 1
            else:
                run.odd = line.got
            if not line.send_next():  # and soon the server hangs up
                poll.unregister(number)
                waiting -= 1
    run.answered = len(run.times)
    run.seconds = time.perf_counter() - began
    run.busy_seconds = time.process_time() - busy
    poll.close()


def _length(head: bytes) -> int:
    for row in head.split(b"\r\n"):
        name, _, value = row.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0
