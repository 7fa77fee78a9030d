"""Real processes of ours for tests: started on a test's database, killed as tests like."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from time import monotonic

PATIENCE_SECONDS = 60.0
_NEVER = Event()


def until(condition: Callable[[], bool], what: str, within: float = PATIENCE_SECONDS) -> None:
    """Look again and again until the condition holds; AssertionError after `within` seconds."""
    deadline = monotonic() + within
    while not condition():
        assert monotonic() < deadline, f"still not after {within} s: {what}"
        _NEVER.wait(0.05)


class Running:
    """A process with its whole group, so that a kill leaves nobody behind."""

    def __init__(self, command: tuple[str, ...], env: dict[str, str], log: Path) -> None:
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command, env=env, stdout=out, stderr=out, start_new_session=True
            )

    def kill(self) -> None:
        """kill -9 for it and its children, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def celery(
    *arguments: str, database_url: str, redis_url: str, folder: Path, name: str
) -> Iterator[Running]:
    """A Celery process of ours on the given database and Redis."""
    env = os.environ | {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "HUILIN_SECRET_KEY": "k" * 32,
        "HUILIN_HOME": str(folder),
    }
    command = (sys.executable, "-m", "celery", "-A", "workers.app:celery", *arguments)
    running = Running(command, env, folder / f"{name}.log")
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.kill()
