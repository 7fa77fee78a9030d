"""Allocate and book: the use case and its route, beside the bare insert and a fixed answer."""

import resource
import time
from collections.abc import Callable, Sequence
from functools import partial

from flask.testing import FlaskClient

from bench import book_report, hot_lot, pgbench
from bench.book_report import Found
from bench.clients import CLIENTS, Clients, clients
from bench.ground import prepared, say
from bench.hot_lot import AHEAD, Asked, HotLot
from bench.load import Run, drive, post
from bench.relay import relayed, usual_trips
from bench.servers import Served, bare, product

BOOKINGS = "/api/v1/bookings"
TIMES = 16
WARM, LEAST, MOST = 10 * CLIENTS, 5 * CLIENTS, 200 * CLIENTS
HOT = 8 * CLIENTS
"""How many want the hot hour."""

# The bookings that the clients made, to be inserted once more with nothing around it.
NOTE = f"""
DROP TABLE IF EXISTS bench_wanted;
CREATE TABLE bench_wanted AS
    SELECT row_number() OVER (ORDER BY id) - 1 AS n, booking.* FROM booking WHERE id > {2 * AHEAD};
ALTER TABLE bench_wanted ADD PRIMARY KEY (n);
GRANT SELECT ON bench_wanted TO PUBLIC;
VACUUM (ANALYZE) bench_wanted;
"""
COLUMNS = """id, lot_id, space_id, household_id, booked_by, plate, plate_color, vehicle_class,
    new_energy, starts_at, ends_at, tariff_id, terms_id, total_fen, wish"""
WARM_UP = 8
"""So often each client of pgbench asks for no row at all, until its plans are made."""

INSERT = f"""
\\set wanted :client_id + {CLIENTS} * (:n - {WARM_UP})
\\set n :n + 1
WITH wanted AS MATERIALIZED (SELECT * FROM bench_wanted WHERE n = :wanted),
claimed AS (
    INSERT INTO space_claim (lot_id, space_id, during, booking_id)
    SELECT lot_id, space_id, tstzrange(starts_at, ends_at), id FROM wanted
)
INSERT INTO booking ({COLUMNS}, recorded_at) SELECT {COLUMNS}, clock_timestamp() FROM wanted;
"""
INSERTED = f"""
SELECT count(*) / extract(epoch FROM max(recorded_at) - min(recorded_at))
FROM booking WHERE id > {2 * AHEAD}
"""


class Bench:
    """The ways to book in one lot."""

    def __init__(self, lot: HotLot, direct: Clients, served: Served, plain: Served) -> None:
        self.lot = lot
        self.direct = direct
        self.served = served
        self.plain = plain

    def use_case(self, asked: Sequence[Asked]) -> Run:
        """The whole transaction by 64 clients, without HTTP."""
        run = self._costed(lambda: self.direct.book(_shared(asked)))
        self.lot.verify(run.expected)
        return run

    def pgbench(self, booked: int) -> Run:
        """The bookings that the use case just made, as plain inserts."""
        self.lot.ground.run(*NOTE.split(";\n")[:-1])
        each = booked // CLIENTS
        run = self._costed(lambda: self._inserted(each))
        self.lot.verify(run.answered)
        return run

    def http(self, asked: Sequence[Asked]) -> Run:
        """The route of the shipped server."""
        lists = self._requests(BOOKINGS, asked)
        run = self._costed(lambda: _driven(self.served, lists, b'"status":"confirmed"'))
        self.lot.verify(run.expected)
        return run

    def fixed(self, asked: Sequence[Asked]) -> Run:
        """As many of the same requests answered without any work."""
        lists = self._requests("/fixed", asked)
        run = self._costed(lambda: _driven(self.plain, lists, b'"action":"open"'))
        assert run.expected == len(asked), run.odd
        return run

    def _inserted(self, each: int) -> Run:
        before = _children_seconds()
        pgbench.run(self.lot.ground, INSERT, clients=CLIENTS, each=WARM_UP + each)
        count = each * CLIENTS
        rate = float(self.lot.ground.ask(INSERTED)[0])
        spent = _children_seconds() - before
        return Run(answered=count, expected=count, seconds=count / rate, app_seconds=spent)

    def _requests(self, path: str, asked: Sequence[Asked]) -> list[list[bytes]]:
        token = self.lot.tokens()
        return [
            [post(path, token[one.resident], one.body, one.key) for one in each]
            for each in _shared(asked)
        ]

    def _costed(self, way: Callable[[], Run]) -> Run:
        self.lot.reset()
        database = self.lot.ground.cpu_seconds()
        run = way()
        run.database_seconds = self.lot.ground.cpu_seconds() - database
        return run


def run(seconds: float, rounds: int) -> int:
    """Measure, print, and return the exit code: 0 when every target is met."""
    began = time.monotonic()
    say("starting a private database, and building a lot of 320 spaces with a busy month")
    with prepared() as ground:
        lot = hot_lot.built(ground)
        found = Found(trips=_trips(lot))
        say(f"starting {CLIENTS} clients, the shipped server and the bare one")
        with (
            clients(ground.url) as direct,
            product(ground.home, ground.url) as served,
            bare(ground.home, ground.conninfo) as plain,
        ):
            _measure(Bench(lot, direct, served, plain), found, seconds, rounds)
    return book_report.show(found, time.monotonic() - began)


def _measure(bench: Bench, found: Found, seconds: float, rounds: int) -> None:
    warm = bench.lot.all_over(WARM)
    bench.http(warm)
    rate = max(bench.use_case(warm).rate, bench.use_case(warm).rate)
    count = max(LEAST, min(MOST, int(rate * seconds) // CLIENTS * CLIENTS))
    asked = bench.lot.all_over(count)
    say(f"{rounds} rounds of {count} bookings all over the month, by {CLIENTS} clients, in turn")
    for number in range(1, rounds + 1):
        use_case = found.use_case.add(bench.use_case(asked))
        assert use_case.expected == count, use_case.odd
        insert = found.pgbench.add(bench.pgbench(use_case.expected))
        http = found.http.add(bench.http(asked))
        assert http.expected == count, http.odd
        found.fixed.add(bench.fixed(asked))
        say(
            f"round {number}: insert {insert.rate:6.0f}/s   "
            f"use case {use_case.rate:6.0f}/s   HTTP {http.rate:6.0f}/s   "
            f"fixed {found.fixed.runs[-1].rate:6.0f}/s"
        )
    asked = bench.lot.one_hour(HOT)
    say(f"{HOT} want the same hour")
    found.hot_use_case = bench.use_case(asked)
    found.hot_http = bench.http(asked)
    assert found.hot_http.expected == found.hot_use_case.expected


def _trips(lot: HotLot) -> dict[str, int]:
    """The round trips of a booking that succeeds."""
    token = lot.tokens()
    with relayed(lot.ground) as (relay, client):
        calls = [partial(_book, client, token[one.resident], one) for one in lot.all_over(TIMES)]
        found = {"booking": usual_trips(relay, calls)}
    lot.reset()
    return found


def _book(client: FlaskClient, token: str, asked: Asked) -> None:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": asked.key}
    answer = client.post(BOOKINGS, json=asked.said, headers=headers)
    assert answer.status_code == 201, answer.get_json()


def _driven(served: Served, lists: list[list[bytes]], expect: bytes) -> Run:
    before = served.cpu_seconds()
    run = drive(served.port, lists, expect)
    run.app_seconds = served.cpu_seconds() - before
    return run


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _shared(asked: Sequence[Asked]) -> list[Sequence[Asked]]:
    return [asked[n::CLIENTS] for n in range(CLIENTS)]
