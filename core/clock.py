"""The only place that asks what time it is, so that tests and the simulator can set it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

_set: datetime | None = None


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return _set or datetime.now(UTC)


@contextmanager
def at(instant: datetime) -> Iterator[None]:
    """Hold the clock of this process at `instant` (aware) inside the block."""
    global _set
    before, _set = _set, instant.astimezone(UTC)
    try:
        yield
    finally:
        _set = before
