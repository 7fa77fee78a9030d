"""Prometheus numbers over all web processes."""

import os
import time
from collections.abc import Callable, Iterable, Iterator

import structlog
from flask import Flask, Response, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import REGISTRY, Collector
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core.db import db

log = structlog.get_logger()

REQUESTS = Histogram(
    "huilin_request_seconds",
    "Time to answer, by route, method and status",
    ["route", "method", "status"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
DECISIONS = Counter(
    "huilin_decisions_total", "Answers given to devices", ["type", "action", "reason"]
)

READINGS: dict[str, Callable[[Session], Iterable[Metric]]] = {}
"""What packages read out of the database whenever Prometheus asks, by package."""


class Readings(Collector):
    """What is read when it is asked for; nothing while the database does not answer."""

    def collect(self) -> Iterator[Metric]:
        """Every package's numbers."""
        try:
            for read in READINGS.values():
                yield from read(db.session())
        except SQLAlchemyError as error:
            log.warning("not read", error=type(error).__name__)
        finally:
            db.session.rollback()


def install(app: Flask) -> None:
    """Count and time every request."""
    app.before_request(_start)
    app.after_request(_observe)


def text() -> Response:
    """The Prometheus exposition of every process of this installation."""
    registry: CollectorRegistry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    readings = CollectorRegistry()
    readings.register(Readings())
    told = generate_latest(registry) + generate_latest(readings)
    return Response(told, content_type=CONTENT_TYPE_LATEST)


def _start() -> None:
    g.started = time.perf_counter()


def _observe(response: Response) -> Response:
    route = request.url_rule.rule if request.url_rule else "none"
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    method = request.method if request.url_rule else "other"  # strangers may send any word
    REQUESTS.labels(route, method, response.status_code).observe(seconds)
    return response
