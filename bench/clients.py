"""Clients without HTTP: processes of threads that carry out the transaction of the view."""

import gc
import hashlib
import json
import multiprocessing
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from flask import Flask

from bench.ground import quiet_app
from bench.hot_lot import Asked
from bench.load import Run
from bench.servers import cpu_seconds
from core import clock
from core.app import settings
from core.db import Connection as Database
from core.db import swift
from core.errors import Problem
from core.idempotency import carried_out_once
from sharing import bookings
from sharing.booking_facts import NewBooking
from sharing.booking_schemas import BookingSchema

PROCESSES, THREADS = 4, 16
"""Each process has one pool; it keeps 16 connections."""

CLIENTS = PROCESSES * THREADS
STATUS = 201


@dataclass(slots=True)
class Done:
    """What the clients of one process did; instants by the machine's one monotonic clock."""

    began: int = 0
    ended: int = 0
    booked: int = 0
    times: list[int] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)


class Clients:
    """Processes that wait for lists of requests."""

    def __init__(self, processes: Sequence[BaseProcess], pipes: Sequence[Connection]) -> None:
        self._processes = processes
        self._pipes = pipes

    def book(self, lists: Sequence[Sequence[Asked]]) -> Run:
        """Carry out every list in a thread of its own, all at once, one request after another."""
        before = self._cpu_seconds()
        for number, pipe in enumerate(self._pipes):
            pipe.send(lists[number * THREADS : (number + 1) * THREADS])
        assert all(pipe.recv() == "ready" for pipe in self._pipes)
        for pipe in self._pipes:
            pipe.send("go")
        done: list[Done] = [pipe.recv() for pipe in self._pipes]
        run = Run(
            answered=sum(len(one.times) for one in done),
            expected=sum(one.booked for one in done),
            seconds=(max(one.ended for one in done) - min(one.began for one in done)) / 1e9,
            times=[each for one in done for each in one.times],
            odd=" ".join(sorted({code for one in done for code in one.refused})).encode(),
        )
        run.app_seconds = self._cpu_seconds() - before
        return run

    def _cpu_seconds(self) -> float:
        return sum(cpu_seconds(process.pid or 0) for process in self._processes)


@contextmanager
def clients(database_url: str) -> Iterator[Clients]:
    """Start the processes; stop them at the end."""
    fresh = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    try:
        for _ in range(PROCESSES):
            ours, theirs = fresh.Pipe()
            process = fresh.Process(target=_serve, args=(database_url, theirs), daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            processes.append(process)
        yield Clients(processes, pipes)
    finally:
        for pipe in pipes:
            pipe.close()
        for process in processes:
            process.join(5)
            process.kill()


def _serve(database_url: str, pipe: Connection) -> None:
    app = quiet_app(database_url)
    while True:
        try:
            lists = pipe.recv()
        except EOFError:
            return
        done = Done()
        start = threading.Barrier(len(lists) + 1)
        threads = [
            threading.Thread(target=_client, args=(app, each, start, done), daemon=True)
            for each in lists
        ]
        for thread in threads:
            thread.start()
        gc.collect()
        pipe.send("ready")
        pipe.recv()
        done.began = time.perf_counter_ns()
        start.wait()
        for thread in threads:
            thread.join()
        done.ended = time.perf_counter_ns()
        pipe.send(done)


def _client(app: Flask, requests: Sequence[Asked], start: threading.Barrier, done: Done) -> None:
    start.wait()
    for asked in requests:
        began = time.perf_counter_ns()
        with app.app_context():
            try:
                _book(asked)
                done.booked += 1
            except Problem as problem:
                done.refused.add(problem.code)
        done.times.append(time.perf_counter_ns() - began)


def _book(asked: Asked) -> None:
    """What the view does once it has authenticated, read and checked the request."""
    now, zone = clock.now(), settings().zone
    new = NewBooking(
        asked.said["lot"],
        asked.starts_at,
        asked.ends_at,
        asked.plate,
        person_id=asked.resident,
        household_id=asked.resident,
    )

    def effect(connection: Database) -> dict[str, Any]:
        told: dict[str, Any] = BookingSchema().dump(
            bookings.book_or_suggest(connection, new, now, zone)
        )
        return told

    said = json.dumps(["POST", "/api/v1/bookings", asked.said], sort_keys=True)
    fingerprint = hashlib.sha256(said.encode()).digest()
    caller = f"person:{asked.resident}"
    swift(carried_out_once, caller, asked.key, fingerprint, STATUS, effect)
