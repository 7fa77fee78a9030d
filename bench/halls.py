"""What lockers are measured on: cabinets, residents, couriers, and a year of parcels behind."""

import json
import os
from dataclasses import asdict, dataclass

from bench.ground import Ground
from core.sealing import unseal
from storage.rules import LockerRules

DOORS, ROWS = 40, "LLMMMSSS"
"""Doors of a cabinet, and the sizes of a column of them from the ground up."""

RESIDENTS = 20
"""Residents for each cabinet."""

COMPANIES = 6
PAST = 40_000
WAITING = 8
"""Parcels that were collected in the past year, and those for each cabinet that still wait."""

# A hall with so many cabinets: their devices, doors and residents, a courier for every two of them.
# Everything is numbered from 1, the doors of a cabinet one after the other.
FOUNDED = f"""
INSERT INTO household (code, name)
SELECT 'H' || n, 'H' || n FROM generate_series(1, {{cabinets}} * {RESIDENTS}) n;
INSERT INTO person (username, password_hash, name, phone, role, household_id)
SELECT 'resident-' || id, 'none', code, '138' || lpad(id::text, 8, '0'), 'resident', id
FROM household ORDER BY id;
INSERT INTO person (username, password_hash, name, role)
VALUES ('desk', 'none', 'desk', 'operator');
INSERT INTO locker_preference (person_id, locker, recorded_at)
SELECT id, 'ok', now() - interval '400 days' FROM person WHERE role = 'resident';
INSERT INTO locker_terms (version, valid_from, rules, recorded_at)
VALUES (1, now() - interval '400 days', '{{rules}}', now() - interval '400 days');
INSERT INTO calendar_day (day, kind, name)
SELECT current_date + n * 13, 'holiday', '节' FROM generate_series(-28, 28) n;
INSERT INTO party (code, kind, name)
SELECT 'company:c' || n, 'company', 'C' || n FROM generate_series(1, {COMPANIES}) n;
INSERT INTO courier_company (code, name, party, credit_fen)
SELECT 'c' || n, 'C' || n, 'company:c' || n, 0 FROM generate_series(1, {COMPANIES}) n;
INSERT INTO courier (code, company_id)
SELECT 'courier-' || n, n % {COMPANIES} + 1 FROM generate_series(1, {{couriers}}) n;
INSERT INTO deposit_rate (size, fee_fen, valid_from, recorded_at)
SELECT size, fee_fen, current_date - 400, now() FROM (VALUES ('S', 30), ('M', 40), ('L', 50))
AS rate (size, fee_fen);
INSERT INTO top_up (company, method, amount_fen, received_by, occurred_at, recorded_at)
SELECT party, 'cash', 100000000, person.id, now(), now()
FROM courier_company JOIN person ON person.username = 'desk';
INSERT INTO device (code, serial, kind, token_digest)
SELECT code, code, 'cabinet', sha256(convert_to('bench-' || code, 'UTF8'))
FROM generate_series(1, {{cabinets}}) n CROSS JOIN LATERAL (SELECT 'cabinet-' || n) named (code);
INSERT INTO cabinet (code, name, address, device_id)
SELECT code, code, '东门', id FROM device ORDER BY id;
INSERT INTO compartment (cabinet_id, number, size, "row")
SELECT cabinet.id, n, substr('{ROWS}', place, 1), place
FROM cabinet CROSS JOIN generate_series(1, {DOORS}) n
CROSS JOIN LATERAL (SELECT (n - 1) % length('{ROWS}') + 1) of_column (place)
ORDER BY cabinet.id, n;
"""

# Every parcel that was or waits with all that it left behind, so that tables, statistics and plans
# are those of lockers in use. Its chain of hashes is made up: nobody reads it here.
LIVED = f"""
SET session_replication_role = replica;
CREATE TEMPORARY TABLE lived AS
SELECT n AS id, waits, n % {{cabinets}} + 1 AS cabinet_id,
    n % {{cabinets}} * {DOORS} + door AS compartment_id, n % {{couriers}} + 1 AS courier_id,
    n::bigint * 7919 % ({{cabinets}} * {RESIDENTS}) + 1 AS who, at, at + interval '8 hours' AS until
FROM generate_series(1, {PAST} + {WAITING} * {{cabinets}}) n
CROSS JOIN LATERAL (SELECT n > {PAST}, n / {{cabinets}} % ({DOORS} - {WAITING}) + 1,
    (n - {PAST} - 1) / {{cabinets}} + {DOORS} - {WAITING} + 1) place (waits, some_door, last_door)
CROSS JOIN LATERAL (SELECT CASE WHEN waits THEN last_door ELSE some_door END,
    now() - CASE WHEN waits THEN interval '3 hours'
        ELSE interval '1 day' + interval '1 year' * ({PAST} - n) / {PAST} END) lay (door, at);
INSERT INTO device_event (device_id, event_key, type, occurred_at, recorded_at, history)
SELECT cabinet.device_id, 'lived-' || lived.id || '-' || nth, type, at, at, false
FROM lived JOIN cabinet ON cabinet.id = lived.cabinet_id
CROSS JOIN unnest(ARRAY['locker.delivery_requested', 'locker.parcel_deposited',
    'locker.pickup_requested', 'locker.parcel_collected']) WITH ORDINALITY said (type, nth)
WHERE nth <= 2 OR NOT waits;
INSERT INTO parcel (id, cabinet_id, compartment_id, tracking_number, courier_id, recipient_phone,
    recipient_id, household_id, size, consent, phase, terms_id, reserved_at, deposited_at,
    deposit_fee_fen, free_until, due_at, opened_at, opened_by, ended_at, fee_fen, recorded_at)
SELECT lived.id, lived.cabinet_id, compartment_id, 'P' || lived.id, courier_id, phone, who, who,
    size, 'preference', CASE WHEN waits THEN 'ready' ELSE 'collected' END, 1, at, at, 30,
    at + interval '18 hours', CASE WHEN waits THEN at + interval '14 hours' END,
    CASE WHEN NOT waits THEN until END, CASE WHEN NOT waits THEN 'recipient' END,
    CASE WHEN NOT waits THEN until END, CASE WHEN NOT waits THEN 0 END, at
FROM lived JOIN person ON person.id = who JOIN compartment ON compartment.id = compartment_id;
UPDATE compartment SET state = 'occupied', parcel_id = lived.id
FROM lived WHERE waits AND compartment.id = compartment_id;
INSERT INTO parcel_event (parcel_id, seq, type, actor, occurred_at, recorded_at, data,
    previous_hash, hash)
SELECT id, nth, type, 'device:cabinet-' || cabinet_id, at, at, '{{{{"compartment": 1}}}}',
    sha256(convert_to(id || '-' || nth - 1, 'UTF8')), sha256(convert_to(id || '-' || nth, 'UTF8'))
FROM lived CROSS JOIN unnest(ARRAY['consent.given', 'door.held', 'parcel.deposited', 'code.issued',
    'deposit.charged', 'door.opened', 'parcel.collected']) WITH ORDINALITY said (type, nth)
WHERE nth <= 5 OR NOT waits;
INSERT INTO compartment_event (compartment_id, type, actor, occurred_at, recorded_at, data)
SELECT compartment_id, 'door.opened', 'device:cabinet-' || cabinet_id, until, until, '{{{{}}}}'
FROM lived WHERE NOT waits;
INSERT INTO pickup_code (parcel_id, cabinet_id, kind, phone_tail, digest, sealed, created_at,
    ended_at, ended_reason)
SELECT id, cabinet_id, 'recipient', lpad(right(who::text, 4), 4, '0'), digest,
    CASE WHEN waits THEN digest END, at, CASE WHEN NOT waits THEN until END,
    CASE WHEN NOT waits THEN 'collected' END
FROM lived CROSS JOIN LATERAL (SELECT sha256(convert_to(id::text, 'UTF8'))) made (digest);
INSERT INTO notice (household_id, person_id, phone, kind, text, secret, about, about_id,
    recorded_at, shown_at)
SELECT who, who, '138' || lpad(who::text, 8, '0'), 'parcel-deposited', repeat('包裹', 50),
    CASE WHEN waits THEN 'sealed'::bytea END, 'parcel', id, at, at FROM lived;
INSERT INTO delivery (notice_id, channel, due_at, sent_at)
SELECT id, channel, recorded_at, recorded_at
FROM notice CROSS JOIN unnest(ARRAY['inbox', 'console']) channel;
INSERT INTO charge (kind, source, source_id, income, amount_fen, occurred_at, recorded_at, lines,
    settled_at, company)
SELECT 'fee', 'deposit', id, 'locker-deposit', 30, at, at, '[]', at,
    'company:c' || id % {COMPANIES} + 1 FROM lived;
INSERT INTO receivable (source, source_id, company, charged_fen, paid_fen, charged_at, moved_at)
SELECT source, source_id, company, amount_fen, amount_fen, occurred_at, occurred_at FROM charge;
SELECT setval('parcel_id_seq', max(id)) FROM lived;
"""

NUMBERED = (
    *("pickup_code", "delivery", "notice", "compartment_event", "parcel_event", "parcel"),
    *("charge", "device_event"),
)
"""What a round adds to, apart from sums; each after those that name it."""

WRITES = (*NUMBERED, "compartment", "receivable", "company_owed", "courier")

# Where all this ends, and the rounds begin.
MARK = f"""
CREATE TABLE bench_mark AS
SELECT {", ".join(f"(SELECT max(id) FROM {table}) AS {table}" for table in NUMBERED)}
"""


def _new(table: str, column: str = "id") -> str:
    return f"{column} > (SELECT {table} FROM bench_mark)"


FORGET = f"""
SET session_replication_role = replica;
UPDATE compartment SET state = 'free', parcel_id = NULL, hold_until = NULL
WHERE {_new("parcel", "parcel_id")};
DELETE FROM receivable WHERE {_new("parcel", "source_id")};
DELETE FROM company_owed;
DELETE FROM exception_case;
{"".join(f"DELETE FROM {table} WHERE {_new(table)};" for table in NUMBERED)}
"""

_CHARGED = f"""
    (SELECT count(DISTINCT source_id) FROM charge WHERE {_new("parcel", "source_id")}),
    (SELECT count(*) FROM charge WHERE {_new("charge")})
"""
NEVER = """
    (SELECT count(*) FROM (SELECT FROM parcel WHERE phase IN ('reserved', 'ready', 'overdue')
     GROUP BY compartment_id HAVING count(*) > 1) twice),
    (SELECT count(*) FROM exception_case)
"""

# What a round wrote: first what there must be one of for each parcel, then what must not be.
DEPOSITED = f"""
SELECT (SELECT count(*) FROM device_event WHERE {_new("device_event")}) / 2.0,
    (SELECT count(*) FROM parcel WHERE {_new("parcel")} AND phase = 'ready'),
    (SELECT count(*) FROM parcel p JOIN compartment k ON k.parcel_id = p.id
     WHERE {_new("parcel", "p.id")} AND k.state = 'occupied' AND p.compartment_id = k.id
       AND p.cabinet_id = k.cabinet_id),
    (SELECT count(*) FROM pickup_code WHERE {_new("pickup_code")} AND ended_at IS NULL),
    (SELECT count(*) FROM notice WHERE {_new("notice")} AND secret IS NOT NULL),
    {_CHARGED}, {NEVER}
"""
COLLECTED = f"""
SELECT (SELECT count(*) FROM device_event WHERE {_new("device_event")}) / 4.0,
    (SELECT count(*) FROM parcel WHERE {_new("parcel")} AND phase = 'collected'
     AND opened_by = 'recipient' AND fee_fen = 0),
    (SELECT count(*) FROM parcel p JOIN compartment k ON k.id = p.compartment_id
     WHERE {_new("parcel", "p.id")} AND k.state = 'free' AND k.parcel_id IS NULL),
    (SELECT count(*) FROM pickup_code WHERE {_new("pickup_code")} AND sealed IS NULL),
    (SELECT count(*) FROM notice WHERE {_new("notice")} AND secret IS NULL),
    {_CHARGED}, {NEVER}
"""

CODES = f"""
SELECT p.tracking_number, c.sealed FROM pickup_code c JOIN parcel p ON p.id = c.parcel_id
WHERE c.ended_at IS NULL AND {_new("parcel", "p.id")}
"""


@dataclass(frozen=True, slots=True)
class Hall:
    """The cabinets in a database, numbered from 1."""

    ground: Ground
    cabinets: int

    @property
    def couriers(self) -> int:
        """How many couriers deposit here."""
        return self.cabinets // 2

    @property
    def residents(self) -> int:
        """How many people parcels come for."""
        return self.cabinets * RESIDENTS

    def codes(self) -> dict[str, str]:
        """The pickup code of every parcel that waits, by its waybill."""
        secret_key = os.environ["HUILIN_SECRET_KEY"]
        with self.ground.as_superuser() as connection:
            return {
                str(waybill): unseal(secret_key, bytes(sealed))
                for waybill, sealed in connection.execute(CODES).fetchall()
            }

    def reset(self) -> None:
        """Forget what the last round wrote, and begin the next with a fresh checkpoint."""
        self.ground.run(FORGET)
        self.ground.tidy(*WRITES)

    def all_deposited(self, count: int) -> None:
        """Nobody measures errors: each parcel behind a door of its own, charged, with a code."""
        self._verify(DEPOSITED, count)

    def all_collected(self, count: int) -> None:
        """Each parcel taken out by its recipient, its door free, its code gone."""
        self._verify(COLLECTED, count)

    def _verify(self, question: str, count: int) -> None:
        *each, twice, cases = self.ground.ask(question)
        assert set(each) == {count}, f"{each} instead of {count} each"
        assert not twice, f"{twice} compartments were given twice"
        assert not cases, f"{cases} exceptions"


def built(ground: Ground, cabinets: int) -> Hall:
    """Build so many cabinets with their history."""
    hall = Hall(ground, cabinets)
    size = {"cabinets": cabinets, "couriers": hall.couriers}
    rules = json.dumps(asdict(LockerRules()))
    ground.run(FOUNDED.format(rules=rules, **size), LIVED.format(**size), MARK)
    ground.tidy()
    return hall


def token(cabinet: int) -> str:
    """The token of a cabinet."""
    return f"bench-cabinet-{cabinet}"


def phone(resident: int) -> str:
    """The mobile number of a resident; they are numbered from 1."""
    return f"138{resident:08d}"
