"""The processes `huilin run` keeps running, and the signals it waits for meanwhile."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 30.0
STEADY_SECONDS = 60.0

Steps = tuple[tuple[signal.Signals, float], ...]


class Stopping(BaseException):
    """SIGTERM, SIGINT or SIGHUP arrived."""


class Hurry(BaseException):
    """A second Ctrl-C arrived while we were stopping."""


@dataclass(slots=True)
class Child:
    """A process to keep running; `launch` starts it."""

    name: str
    launch: Callable[[], subprocess.Popen[bytes]]
    log: Path
    stop_steps: Steps
    process: subprocess.Popen[bytes] | None = None
    log_start: int = 0
    started_at: float = 0.0
    failures: int = 0
    due_at: float = 0.0

    def start(self) -> None:
        """Launch it and remember when, and where its log begins."""
        self.log_start = self.log.stat().st_size if self.log.exists() else 0
        self.started_at = time.monotonic()
        self.process = self.launch()

    def ended(self) -> bool:
        """Whether it ended by itself."""
        return self.process is not None and self.process.poll() is not None

    def put_off(self) -> float:
        """After an ending: the seconds until the next start, doubling up to the longest."""
        if time.monotonic() - self.started_at > STEADY_SECONDS:
            self.failures = 0
        delay = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0**self.failures)
        self.failures += 1
        self.process = None
        self.due_at = time.monotonic() + delay
        return delay


class Signals:
    """Signals as wake-ups of the one place where we wait, so that waiting costs nothing."""

    def __init__(self) -> None:
        self._wake, self._woken = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)
        self._first_at: float | None = None
        self._second = False
        self.stopping = False
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked_to_stop)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup means it
            signal.signal(signal.SIGHUP, self._asked_to_stop)

    def wait(self, seconds: float) -> None:
        """Wait for a signal, at most `seconds`; raise Stopping or Hurry when told to."""
        self._look()
        select.select([self._wake], [], [], seconds)
        with suppress(BlockingIOError):
            os.read(self._wake, 4096)
        self._look()

    def _look(self) -> None:
        if self._second:
            raise Hurry
        if self._first_at is not None and not self.stopping:
            raise Stopping

    def _asked_to_stop(self, number: int, _frame: object) -> None:
        now = time.monotonic()
        if self._first_at is None:
            self._first_at = now
        elif number == signal.SIGINT and now - self._first_at > 0.5:
            self._second = True
