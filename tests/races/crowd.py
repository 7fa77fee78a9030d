"""Many callers at the same instant, each with an app context and a connection of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from flask import Flask
from flask.testing import FlaskClient

T = TypeVar("T")
PATIENCE_SECONDS = 60


def at_once(app: Flask, calls: Sequence[Callable[[FlaskClient], T]]) -> list[T]:
    """Make every call in a thread of its own, all starting together; answers in order."""
    start = Barrier(len(calls))

    def call(made: Callable[[FlaskClient], T]) -> T:
        start.wait(PATIENCE_SECONDS)
        return made(app.test_client())

    with ThreadPoolExecutor(len(calls)) as threads:
        running = [threads.submit(call, made) for made in calls]
        return [done.result(PATIENCE_SECONDS) for done in running]
