"""Prometheus numbers over all web processes."""

import os
import time

from flask import Flask, Response, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.registry import REGISTRY

REQUESTS = Histogram(
    "huilin_request_seconds",
    "Time to answer, by route, method and status",
    ["route", "method", "status"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
DECISIONS = Counter(
    "huilin_decisions_total", "Answers given to devices", ["type", "action", "reason"]
)


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
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _start() -> None:
    g.started = time.perf_counter()


def _observe(response: Response) -> Response:
    route = request.url_rule.rule if request.url_rule else "none"
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    method = request.method if request.url_rule else "other"  # strangers may send any word
    REQUESTS.labels(route, method, response.status_code).observe(seconds)
    return response
