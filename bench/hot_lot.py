"""What booking is measured on: one lot of 320 spaces, a busy month ahead, a year behind."""

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from bench.ground import Ground, app_on
from core.config import settings_from_env
from core.db import atomic
from identity import tokens
from parking import lots
from parking.models import Lot
from sample import CAR_RULES
from sharing import booking_terms

CODE = "HOT"
SPACES, PRIVATE, PERMITS, RESIDENTS = 320, 64, 24, 2000
DAYS = 28
PAST = 40_000
AHEAD = 100_000
"""Past bookings are numbered from 1, those of the busy month from here, the bench's from twice."""

TERMS = {"household_open": 1000, "household_month_minutes": 100_000}
BEGINNING = timedelta(days=400)

PEOPLE = f"""
INSERT INTO household (code, name) SELECT 'H' || n, 'H' || n FROM generate_series(1, {RESIDENTS}) n;
INSERT INTO person (username, password_hash, name, role, household_id)
SELECT 'resident-' || id, 'none', code, 'resident', id FROM household;
INSERT INTO auth_session (id, person_id, refresh_id, created_at, expires_at)
SELECT gen_random_uuid(), id, gen_random_uuid(), now(), now() + interval '30 days' FROM person;
INSERT INTO vehicle (plate, plate_color, household_id)
SELECT '川A' || lpad(id::text, 5, '0'), 'blue', id FROM household;
"""

# Every fifth space is a resident's, offered on workdays; some vehicles may come without a space
# of their own, a few of them only at night.
RIGHTS = f"""
UPDATE space SET owner_household_id = id, offered = (
    SELECT range_agg(tstzrange(day + interval '8.5 hours', day + interval '18 hours'))
    FROM bench_day WHERE workday
) WHERE id % {SPACES // PRIVATE} = 0;
INSERT INTO permit (lot_id, kind, starts_at, ends_at, hours)
SELECT lot.id, 'monthly', now() - interval '30 days', now() + interval '90 days',
    CASE WHEN n % 4 = 0 THEN
        '[{{"weekdays": [1, 2, 3, 4, 5], "from": "18:00", "to": "09:00"}}]'::jsonb END
FROM lot, generate_series(1, {PERMITS}) n;
"""

# The past: bookings, and the daily stays of the permits. The month ahead: in the morning and in
# the evening, on two community spaces of three; on private ones on workdays.
CALENDAR = f"""
SET session_replication_role = replica;
INSERT INTO booking (id, lot_id, space_id, household_id, booked_by, plate, plate_color, starts_at,
    ends_at, status, tariff_id, terms_id, total_fen, recorded_at, ended_at)
SELECT n, s.lot_id, s.id, n % {RESIDENTS} + 1, n % {RESIDENTS} + 1, '川P' || n % 90000, 'blue',
    t.at, t.at + interval '3 hours', 'fulfilled', tariff.id, terms.id, 500, t.at, t.at
FROM generate_series(1, {PAST}) n
CROSS JOIN LATERAL (SELECT now() - interval '1 year' * n / {PAST} - interval '1 day') t(at)
JOIN space s ON s.id = n % {SPACES} + 1
CROSS JOIN tariff CROSS JOIN booking_terms terms;
INSERT INTO stay (lot_id, plate, plate_color, status, "right", entered_at, exited_at, space_id,
    permit_id, tariff_id, fee_fen)
SELECT 1, '川M' || lpad(n::text, 5, '0'), 'blue', 'closed', 'permit', day + interval '10 hours',
    day + interval '20 hours', n * 7 % {SPACES} + 1, n, tariff.id, 0
FROM generate_series(1, {PERMITS}) n
CROSS JOIN generate_series(now() - interval '1 year', now() - interval '1 day', '1 day') day
CROSS JOIN tariff;
INSERT INTO space_claim (lot_id, space_id, during, stay_id, live)
SELECT lot_id, space_id, tstzrange(entered_at, exited_at), id, false FROM stay;
INSERT INTO booking (id, lot_id, space_id, household_id, booked_by, plate, plate_color, starts_at,
    ends_at, tariff_id, terms_id, total_fen, recorded_at)
SELECT {AHEAD} + row_number() OVER (ORDER BY of_day.starts_at, s.id), s.lot_id, s.id,
    (s.id * 7 + day.number * 13) % {RESIDENTS} + 1, (s.id * 7 + day.number * 13) % {RESIDENTS} + 1,
    '川V' || lpad((day.number * 1000 + s.id * 2 + of_day.which)::text, 5, '0'), 'blue',
    of_day.starts_at, of_day.starts_at + of_day.lasts, tariff.id, terms.id, 500, now()
FROM space s
CROSS JOIN bench_day day
CROSS JOIN LATERAL (VALUES
    (0, day.day + interval '8.5 hours' + interval '15 minutes' * ((s.id * 37 + day.number) % 16),
     interval '2 hours' + interval '30 minutes' * ((s.id + day.number) % 3)),
    (1, day.day + interval '17 hours' + interval '15 minutes' * ((s.id * 11 + day.number) % 12),
     interval '3 hours')
) AS of_day(which, starts_at, lasts)
CROSS JOIN tariff CROSS JOIN booking_terms terms
WHERE CASE WHEN s.owner_household_id IS NULL THEN (s.id / 2 + day.number + of_day.which) % 3 > 0
    ELSE day.workday AND of_day.which = 0 END;
INSERT INTO space_claim (lot_id, space_id, during, booking_id, live)
SELECT lot_id, space_id, tstzrange(starts_at, ends_at), id, status = 'confirmed' FROM booking;
SELECT setval('booking_id_seq', {2 * AHEAD});
"""

FORGET = f"""
SET session_replication_role = replica;
DELETE FROM space_claim WHERE booking_id > {2 * AHEAD};
DELETE FROM booking WHERE id > {2 * AHEAD};
TRUNCATE idempotent_request;
"""

# How many were booked since the reset, and what must never be: spaces and plates held twice,
# bookings without their claim, bookings outside of what is offered.
WRITTEN = f"""
SELECT
    (SELECT count(*) FROM booking WHERE id > {2 * AHEAD}),
    (SELECT count(*) FROM (
        SELECT lower(during) < max(upper(during)) OVER (
            PARTITION BY space_id ORDER BY lower(during)
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS twice
        FROM space_claim WHERE live) held WHERE twice),
    (SELECT count(*) FROM (
        SELECT starts_at < max(ends_at) OVER (
            PARTITION BY plate ORDER BY starts_at
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS twice
        FROM booking WHERE status = 'confirmed') held WHERE twice),
    (SELECT count(*) FROM booking b WHERE b.id > {2 * AHEAD} AND NOT EXISTS (
        SELECT FROM space_claim c WHERE c.live AND c.booking_id = b.id
          AND c.space_id = b.space_id AND c.during = tstzrange(b.starts_at, b.ends_at))),
    (SELECT count(*) FROM booking b JOIN space s ON s.id = b.space_id
     WHERE b.status = 'confirmed' AND NOT s.offered @> tstzrange(b.starts_at, b.ends_at))
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for a booking; the resident's number is person's, household's and plate's."""

    resident: int
    starts_at: datetime
    ends_at: datetime
    key: str

    @property
    def plate(self) -> str:
        """The resident's vehicle."""
        return f"川A{self.resident:05d}"

    @property
    def said(self) -> dict[str, Any]:
        """The body of the request."""
        span = {"starts_at": self.starts_at.isoformat(), "ends_at": self.ends_at.isoformat()}
        return {"lot": CODE, "plate": self.plate, **span}

    @property
    def body(self) -> bytes:
        """The same as JSON."""
        return json.dumps(self.said, ensure_ascii=False).encode()


@dataclass(frozen=True)
class HotLot:
    """The lot in a database."""

    ground: Ground
    zone: ZoneInfo
    days: tuple[datetime, ...]
    """Midnight of each day of the busy month."""

    @cached_property
    def sessions(self) -> dict[int, UUID]:
        """Where each resident is signed in."""
        with self.ground.as_superuser() as connection:
            rows = connection.execute("SELECT person_id, id FROM auth_session").fetchall()
        return {person: UUID(str(session)) for person, session in rows}

    def tokens(self) -> dict[int, str]:
        """A fresh access token for every resident; they live for a quarter of an hour."""
        secret = settings_from_env().secret_key
        return {
            person: tokens.encode(secret, tokens.ACCESS, tokens.Claims(person, session, uuid4()))
            for person, session in self.sessions.items()
        }

    def all_over(self, count: int) -> list[Asked]:
        """Requests spread over the month and its hours, one to four hours long.

        A resident asks at most once a day; the same requests every time.
        """
        drawn = random.Random(1)  # noqa: S311 - a draw that must repeat itself
        return [self._somewhen(n, drawn) for n in range(min(count, RESIDENTS * DAYS))]

    def one_hour(self, count: int) -> list[Asked]:
        """Requests for one and the same hour, each resident's own."""
        begins = self.days[3] + timedelta(hours=10)
        spans = ((n + 1, begins, begins + timedelta(hours=1)) for n in range(min(count, RESIDENTS)))
        return [Asked(*span, key=f"hour-{span[0]}") for span in spans]

    def reset(self) -> None:
        """Forget what the last round wrote, and begin the next with a fresh checkpoint."""
        self.ground.run(FORGET)
        self.ground.tidy("booking", "space_claim", "space", "idempotent_request")

    def verify(self, booked: int) -> None:
        """Nobody measures errors: as many bookings as were confirmed, and no two at one place."""
        found, *never = self.ground.ask(WRITTEN)
        assert found == booked, f"{found} bookings instead of {booked}"
        assert not any(never), f"double bookings, double plates, lost claims, not offered: {never}"

    def _somewhen(self, n: int, drawn: random.Random) -> Asked:
        resident, again = n % RESIDENTS + 1, n // RESIDENTS
        day = self.days[(resident * 5 + again * 3) % DAYS]
        lasts = timedelta(minutes=30 * drawn.randint(2, 8))
        latest = (timedelta(days=1) - lasts) // timedelta(minutes=15)
        starts_at = day + timedelta(minutes=15 * drawn.randint(0, latest))
        return Asked(resident, starts_at, starts_at + lasts, key=f"over-{n}")


def built(ground: Ground) -> HotLot:
    """Build the lot, its residents, its calendar and its history."""
    zone = settings_from_env().zone
    days = tuple(_midnights(zone))
    with app_on(ground.url):
        ground.run(PEOPLE)
        atomic(_lot)
    values = ", ".join(
        f"({n}, '{day.isoformat()}'::timestamptz, {day.astimezone(zone).isoweekday() < 6})"
        for n, day in enumerate(days)
    )
    calendar = f"CREATE TABLE bench_day (number, day, workday) AS VALUES {values}"
    ground.run(calendar, RIGHTS, CALENDAR)
    ground.tidy()
    lot = HotLot(ground, zone, days)
    lot.verify(0)
    return lot


def _lot(session: Session) -> Lot:
    now = datetime.now(UTC)
    lot = lots.add_lot(session, code=CODE, name="热门车场", kind="car", takes_walk_ins=True)
    lots.add_spaces(session, lot, [f"{CODE}-{n:03d}" for n in range(1, SPACES + 1)])
    lots.add_tariff(session, lot, asdict(CAR_RULES), now - BEGINNING)
    booking_terms.add_terms(session, lot, TERMS, now - BEGINNING)
    return lot


def _midnights(zone: ZoneInfo) -> Iterator[datetime]:
    today = datetime.now(zone).date()
    for number in range(1, DAYS + 1):
        day = today + timedelta(days=number)
        yield datetime.combine(day, time(), zone).astimezone(UTC)
