"""Parcels in and out over HTTP, at 100 cabinets and at 10,000, beside a fixed answer."""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask.testing import FlaskClient

from bench import halls, lockers_report
from bench.events import CONNECTIONS, EVENTS
from bench.ground import prepared, say
from bench.halls import DOORS, WAITING, Hall, token
from bench.load import Request, Run, post
from bench.lockers_report import LARGE, SMALL, Found
from bench.relay import relayed, usual_trips
from bench.servers import Served, bare, product

TIMES = 16
WARM = 20 * CONNECTIONS
MOST = SMALL // CONNECTIONS * CONNECTIONS * (DOORS - WAITING) * 3 // 4
"""Parcels a round may have, so that no cabinet ever fills."""

SIZES = "SMSMSSML"
APART = 97
"""A connection's cabinets are visited in this step, so that few parcels reach many of them."""

TAKEN, OPENED = b'"duplicate":false', b'"action":"open"'
COMPARTMENT = re.compile(rb'"compartment":(\d+)')


@dataclass(frozen=True, slots=True)
class Parcel:
    """One parcel of a round: the n-th of a connection, always at one of its own cabinets."""

    line: int
    n: int
    hall: Hall

    @property
    def waybill(self) -> str:
        """Its number."""
        return f"L{self.line:02d}N{self.n:05d}"

    @property
    def cabinet(self) -> int:
        """Where it goes."""
        own = (self.hall.cabinets - self.line - 1) // CONNECTIONS + 1
        return self.n * APART % own * CONNECTIONS + self.line + 1

    @property
    def phone(self) -> str:
        """Whose it is."""
        return halls.phone((self.line + self.n * CONNECTIONS) * 7919 % self.hall.residents + 1)

    @property
    def wish(self) -> dict[str, Any]:
        """What its courier asks for."""
        return {
            "tracking_number": self.waybill,
            "recipient_phone": self.phone,
            "size": SIZES[self.n % len(SIZES)],
            "courier": f"courier-{self.cabinet % self.hall.couriers + 1}",
        }

    def body(self, type_: str, at: datetime, **data: Any) -> bytes:
        """What its cabinet says of it; waybill and type make the key."""
        said = {"event_id": f"{type_}-{self.waybill}", "type": f"locker.{type_}"}
        return json.dumps(said | {"occurred_at": at.isoformat(), "data": data}).encode()


class Bench:
    """The servers over the two databases, and the rounds over them."""

    def __init__(self, served: Mapping[int, tuple[Hall, Served]], plain: Served) -> None:
        self.served = served
        self.plain = plain

    def fixed(self, count: int) -> Run:
        """As many requests as a round has, answered without any work."""
        hall, _ = self.served[SMALL]
        lists = _lists(hall, count, partial(_put_in, "/fixed", number=1))
        run = hall.ground.driven(self.plain, lists, OPENED)
        assert run.expected == 2 * count, run.odd
        return run

    def deposits(self, cabinets: int, count: int) -> Run:
        """Couriers ask and put in so many parcels."""
        hall, served = self.served[cabinets]
        hall.reset()
        lists = _lists(hall, count, partial(_put_in, EVENTS))
        run = hall.ground.driven(served, lists, TAKEN)
        assert run.expected == 2 * count, run.odd
        hall.all_deposited(count)
        return run

    def pickups(self, cabinets: int, count: int) -> Run:
        """Those parcels are fetched, each with its code."""
        hall, served = self.served[cabinets]
        codes = hall.codes()
        hall.ground.run("CHECKPOINT")
        lists = _lists(hall, count, partial(_taken_out, codes))
        run = hall.ground.driven(served, lists, TAKEN)
        assert run.expected == 2 * count, run.odd
        hall.all_collected(count)
        return run


def run(seconds: float, rounds: int) -> int:
    """Measure, print, and return the exit code: 0 when every target is met."""
    began = time.monotonic()
    with prepared() as ground:
        say(f"building {SMALL:,} and {LARGE:,} cabinets of {DOORS} doors, each with a history")
        large = halls.built(ground.twin("large"), LARGE)
        small = halls.built(ground, SMALL)
        found = Found(trips=_trips(large))
        say("starting a shipped server for each, and the bare one")
        with (
            product(ground.home, small.ground.url) as of_small,
            product(ground.home, large.ground.url) as of_large,
            bare(ground.home, ground.conninfo) as plain,
        ):
            served = {SMALL: (small, of_small), LARGE: (large, of_large)}
            _measure(Bench(served, plain), found, seconds, rounds)
    return lockers_report.show(found, time.monotonic() - began)


def _measure(bench: Bench, found: Found, seconds: float, rounds: int) -> None:
    bench.fixed(WARM)
    for cabinets in (*bench.served, *bench.served):
        rate = bench.deposits(cabinets, WARM).rate / 2
        bench.pickups(cabinets, WARM)
    whole = int(rate * seconds) // CONNECTIONS * CONNECTIONS
    found.parcels = count = max(CONNECTIONS, min(whole, MOST))
    say(f"{rounds} rounds of {count} parcels in and out, over {CONNECTIONS} connections, in turn")
    for number in range(1, rounds + 1):
        sizes = (SMALL, LARGE) if number % 2 else (LARGE, SMALL)
        fixed = found.fixed.add(bench.fixed(count))
        for cabinets in sizes:
            found.deposits[cabinets].add(bench.deposits(cabinets, count))
        for cabinets in sizes:
            found.pickups[cabinets].add(bench.pickups(cabinets, count))
        say(f"round {number}: requests/s: fixed {fixed.rate:6.0f}   " + found.newest())


def _lists(
    hall: Hall, count: int, asked: Callable[[Parcel], tuple[Request, Request]]
) -> list[list[Request]]:
    """What each connection sends for its share of so many parcels."""
    return [
        [request for n in range(count // CONNECTIONS) for request in asked(Parcel(line, n, hall))]
        for line in range(CONNECTIONS)
    ]


def _put_in(path: str, parcel: Parcel, number: int | None = None) -> tuple[Request, Request]:
    """A courier asks, then puts the parcel behind the door that opened, or that `number`."""
    now, key = datetime.now(UTC), token(parcel.cabinet)

    def deposited(number: int) -> bytes:
        where = {"tracking_number": parcel.waybill, "compartment": number}
        return post(path, key, parcel.body("parcel_deposited", now, **where))

    asks = post(path, key, parcel.body("delivery_requested", now, **parcel.wish))
    if number is not None:
        return asks, deposited(number)
    return asks, lambda answer: deposited(_door_opened(answer))


def _taken_out(codes: Mapping[str, str], parcel: Parcel) -> tuple[Request, Request]:
    """Its recipient enters the code, and takes the parcel out of the door that opened."""
    now, key = datetime.now(UTC), token(parcel.cabinet)
    entered = {"phone_tail": parcel.phone[-4:], "code": codes[parcel.waybill]}
    where = {"tracking_number": parcel.waybill}
    taken = post(EVENTS, key, parcel.body("parcel_collected", now, **where))

    def collected(answer: bytes) -> bytes:
        _door_opened(answer)
        return taken

    return post(EVENTS, key, parcel.body("pickup_requested", now, **entered)), collected


def _door_opened(answer: bytes) -> int:
    """The compartment that an answer opens; nothing else will do."""
    found = COMPARTMENT.search(answer)
    if OPENED not in answer or not found:
        raise RuntimeError(f"no door opened: {answer[-1000:].decode()}")
    return int(found[1])


def _trips(hall: Hall) -> dict[str, int]:
    """The round trips that each kind of event takes."""
    with relayed(hall.ground) as (relay, client):
        return _Walk(hall, client).counts(partial(usual_trips, relay))


class _Walk:
    """Parcels that come and go, one after the other, each step counted."""

    def __init__(self, hall: Hall, client: FlaskClient) -> None:
        self.hall = hall
        self.client = client
        self.parcels = [Parcel(0, n, hall) for n in range(TIMES)]
        self.doors: dict[str, int] = {}
        self.codes: dict[str, str] = {}

    def counts(self, usual: Callable[[list[Callable[[], None]]], int]) -> dict[str, int]:
        """Each kind of event and its round trips."""
        self.hall.reset()
        found = {}
        steps = {
            "delivery requested": self._ask,
            "deposited": self._put_in,
            "pickup requested": self._enter,
            "collected": self._take_out,
        }
        for name, step in steps.items():
            found[name] = usual([partial(step, parcel) for parcel in self.parcels])
            self.codes = self.codes or self.hall.codes()
        self.hall.all_collected(TIMES)
        self.hall.reset()
        return found

    def _ask(self, parcel: Parcel) -> None:
        told = self._say(parcel, "delivery_requested", **parcel.wish)
        assert told["action"] == "open", told
        self.doors[parcel.waybill] = told["compartment"]

    def _put_in(self, parcel: Parcel) -> None:
        where = {"compartment": self.doors[parcel.waybill]}
        self._say(parcel, "parcel_deposited", tracking_number=parcel.waybill, **where)

    def _enter(self, parcel: Parcel) -> None:
        code = self.codes[parcel.waybill]
        told = self._say(parcel, "pickup_requested", phone_tail=parcel.phone[-4:], code=code)
        assert told["action"] == "open", told

    def _take_out(self, parcel: Parcel) -> None:
        self._say(parcel, "parcel_collected", tracking_number=parcel.waybill)

    def _say(self, parcel: Parcel, type_: str, **data: Any) -> Any:
        headers = {
            "Authorization": f"Bearer {token(parcel.cabinet)}",
            "Content-Type": "application/json",
        }
        body = parcel.body(type_, datetime.now(UTC), **data)
        answer = self.client.post(EVENTS, data=body, headers=headers)
        assert answer.status_code == 200, answer.get_json()
        return answer.get_json()["decision"]
