"""What must be known before a booking or a quote is made: one look, after the locks it needs.

A household books one at a time because its quotas count, a plate because it has one place at a
time; the locks are taken in this order, and the look after them sees what their holders wrote.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow, dict_row

from core.db import Connection, fetch_row, pipeline
from core.errors import Problem, invalid, not_found
from parking import plates, tags
from parking.plates import Plate
from parking.terms import Terms, parse_terms, quota_refusal
from sharing.allocation import Wish
from tariffs.days import overrides
from tariffs.tariff import Circumstances, Tariff, parse_rules

HOUSEHOLD_ALONE = """
SELECT pg_advisory_xact_lock(hashtextextended('household ' || %(household)s::text, 0))
"""
PLATE_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('plate ' || %(plate)s::text, 0))"

# The lot with the terms in force when asked and the tariff in force when the stay begins (or the
# promised one), and the vehicle: of several of one plate the household's own, then by colour.
LOT = """
    lot.id AS lot_id, lot.code AS lot, lot.kind AS lot_kind,
    terms.id AS terms_id, terms.rules AS terms,
    price.id AS tariff_id, price.version AS tariff_version, price.rules AS tariff_rules,
    (SELECT jsonb_object_agg(day, kind) FROM calendar_day) AS calendar,
    vehicle.household_id AS vehicle_household_id, vehicle.plate_color AS vehicle_color,
    vehicle.vehicle_class
"""
LOT_FROM = """
FROM lot
LEFT JOIN quote ON quote.id = %(quote)s AND quote.person_id = %(person)s
LEFT JOIN LATERAL (
    SELECT t.id, t.rules FROM booking_terms t
    WHERE t.lot_id = lot.id AND t.valid_from <= %(now)s ORDER BY t.valid_from DESC LIMIT 1
) terms ON true
LEFT JOIN tariff price ON price.id = coalesce(quote.tariff_id, (
    SELECT t.id FROM tariff t
    WHERE t.lot_id = lot.id AND t.valid_from <= %(starts)s ORDER BY t.valid_from DESC LIMIT 1
))
LEFT JOIN LATERAL (
    SELECT v.household_id, v.plate_color, v.vehicle_class FROM vehicle v
    WHERE v.plate = %(plate)s
    ORDER BY (v.household_id = %(household)s) IS TRUE DESC, v.plate_color = %(color)s DESC LIMIT 1
) vehicle ON true
WHERE lot.code = %(lot)s
"""

# Another active booking of the plate at the time, `besides` one.
ELSEWHERE = """EXISTS (
    SELECT FROM booking b
    WHERE b.plate = %(plate)s AND b.kind = 'guest' AND b.status IN ('confirmed', 'checked_in')
      AND b.starts_at < %(ends)s AND b.ends_at > %(starts)s AND b.id IS DISTINCT FROM %(besides)s
)"""
# What a household booked of each month; nothing lasts longer than 366 days.
USED = """ARRAY(
    SELECT coalesce(sum(extract(epoch FROM
            least(b.ends_at, month.ends) - greatest(b.starts_at, month.starts)))
        FILTER (WHERE b.id IS NOT NULL), 0)::bigint / 60
    FROM unnest(%(month_starts)s::timestamptz[], %(month_ends)s::timestamptz[])
        WITH ORDINALITY AS month(starts, ends, number)
    LEFT JOIN booking b ON b.household_id = %(household)s AND b.kind = 'guest'
        AND b.status <> 'cancelled' AND b.starts_at < month.ends AND b.ends_at > month.starts
        AND b.starts_at > month.starts - interval '366 days' AND b.id IS DISTINCT FROM %(besides)s
    GROUP BY month.number ORDER BY month.number
)"""

PRICED = f"SELECT {LOT} {LOT_FROM}"

LOOK = f"""
SELECT {LOT},
    quote.id AS quote_id, quote.lot_id AS quote_lot_id, quote.starts_at AS quote_starts_at,
    quote.ends_at AS quote_ends_at, quote.vehicle_class AS quote_vehicle_class,
    quote.new_energy AS quote_new_energy, quote.total_fen AS quote_total_fen,
    quote.expires_at AS quote_expires_at,
    EXISTS (SELECT FROM blocked_plate WHERE plate = %(plate)s) AS blocked,
    {ELSEWHERE} AS elsewhere,
    EXISTS (SELECT FROM household WHERE id = %(household)s) AS has_household,
    (SELECT count(*) FROM booking b WHERE b.household_id = %(household)s AND b.kind = 'guest'
        AND b.status IN ('confirmed', 'checked_in')) AS open_count,
    {USED} AS used_minutes,
    nextval('booking_id_seq') AS booking_id
{LOT_FROM}
"""  # noqa: S608 - the pieces put together are constants of ours

GROWTH = f"SELECT {ELSEWHERE} AS elsewhere, {USED} AS used_minutes"


@dataclass(frozen=True, slots=True)
class NewBooking:
    """A booking about to be made, in the words of who asks for it.

    Staff (`for_anybody`) may name any plate and any household; a household's own people book
    for its vehicles and for visitors.
    """

    lot: str
    starts_at: datetime
    ends_at: datetime
    plate: str
    person_id: int
    household_id: int | None = None
    plate_color: str = "unknown"
    quote_id: int | None = None
    preferences: Mapping[str, Any] = field(default_factory=dict)
    for_anybody: bool = False


def look(
    connection: Connection, new: NewBooking, plate: Plate, now: datetime, zone: ZoneInfo
) -> DictRow:
    """Lock household and plate and read the row of `LOOK`, in one round trip.

    Problem 404 when there is no such lot.
    """
    values = _values(new.lot, new.starts_at, plate, now) | {
        "ends": new.ends_at,
        "person": new.person_id,
        "household": new.household_id,
        "quote": new.quote_id,
        "besides": None,
    }
    values |= _month_arrays(new.starts_at, new.ends_at, zone)
    with pipeline(connection), connection.cursor(row_factory=dict_row) as cursor:
        if new.household_id is not None:
            connection.execute(HOUSEHOLD_ALONE, values)
        connection.execute(PLATE_ALONE, values)
        row = cursor.execute(LOOK, values).fetchone()
    if row is None:
        raise not_found("lot")
    return row


def priced(
    connection: Connection, lot: str, starts_at: datetime, plate: Plate | None, now: datetime
) -> DictRow:
    """The row of `PRICED`, without a lock. Problem 404 when there is no such lot."""
    values = _values(lot, starts_at, plate or Plate("", "unknown"), now)
    nobody = {"person": None, "household": None, "quote": None}
    row = fetch_row(connection, (PRICED, values | nobody))
    if row is None:
        raise not_found("lot")
    return row


def growth(
    connection: Connection, booking: Mapping[str, Any], ends_at: datetime, zone: ZoneInfo
) -> DictRow:
    """What a booking that would end at `ends_at` meets: `elsewhere` and `used_minutes`."""
    values = {
        "plate": booking["plate"],
        "household": booking["household_id"],
        "starts": booking["starts_at"],
        "ends": ends_at,
        "besides": booking["id"],
    }
    values |= _month_arrays(booking["starts_at"], ends_at, zone)
    return fetch_row(connection, (GROWTH, values)) or {}


def vehicle_of(read: str, color: str) -> Plate:
    """The vehicle somebody typed: a number plate, an e-bike's, or a card. Problem 422 if none."""
    plate = plates.parse(read, color) or tags.ebike_plate(read) or tags.card(read)
    if plate is None:
        raise invalid("plate", "must be a Chinese number plate")
    return plate


def in_lot(plate: Plate, lot_kind: str) -> None:
    """Problem 422 when what was typed is no plate of a vehicle for such a lot."""
    is_car = plates.parse(plate.text) is not None
    if lot_kind == "car" and not is_car:
        raise invalid("plate", "must be a Chinese number plate")
    if lot_kind == "ebike" and is_car:
        raise invalid("plate", "must be a card's uid or an e-bike's plate, and no car's plate")


def known_as(plate: Plate, row: DictRow) -> tuple[Plate, Circumstances]:
    """The plate with its registered colour, and what its vehicle's class makes of the price."""
    color, registered = plate.color, row["vehicle_color"]
    if registered not in (color, "unknown") and color != "unknown":
        return plate, circumstances(plate, None)
    plate = Plate(plate.text, (registered or color) if color == "unknown" else color)
    return plate, circumstances(plate, row["vehicle_class"])


def circumstances(plate: Plate | None, vehicle_class: str | None) -> Circumstances:
    """What the vehicle makes of the price: its class as registered, or else as its plate says."""
    known = plates.classify(plate)
    return Circumstances(vehicle_class or known.vehicle_class, known.new_energy)


def terms_of(row: Mapping[str, Any]) -> Terms:
    """The terms in column `terms`; a lot without any has the defaults."""
    return parse_terms(row["terms"] or {})


def tariff_of(row: Mapping[str, Any], zone: ZoneInfo) -> Tariff:
    """The tariff in the columns `tariff_*`, with the calendar's exceptions.

    Problem 409 `no-tariff` when the lot has none for then.
    """
    if row["tariff_id"] is None:
        raise Problem(409, "no-tariff", "This lot has no prices for that time yet.")
    rules = parse_rules(row["tariff_rules"])
    calendar = overrides(row["calendar"])
    return Tariff(row["tariff_id"], row["tariff_version"], zone, rules, calendar)


def wish_of(preferences: Mapping[str, Any], terms: Terms, lot_kind: Any) -> Wish:
    """What a vehicle needs and would like, with the lot's policy where nothing was said."""
    return Wish(
        charging=preferences.get("charging", False),
        accessible=preferences.get("accessible", False),
        near=preferences.get("near"),
        prefer=preferences.get("prefer") or terms.prefer,
        kind=lot_kind,
        least_minutes=terms.least_minutes,
    )


def within_quotas(
    terms: Terms,
    open_count: int,
    used_minutes: Sequence[int],
    span: tuple[datetime, datetime],
    zone: ZoneInfo,
) -> None:
    """Problem 409 naming the household's quota that a booking of this span would break."""
    for used, (begins, ends) in zip(used_minutes, months(*span, zone), strict=True):
        inside = min(ends, span[1]) - max(begins, span[0])
        broken = quota_refusal(terms, open_count, used, inside // timedelta(minutes=1))
        if broken == "household-open-quota":
            detail = f"A household may have {terms.household_open} bookings open at a time."
            raise Problem(409, broken, detail, limit=terms.household_open, open=open_count)
        if broken:
            limit = terms.household_month_minutes
            detail = f"A household may book {limit} minutes a month."
            raise Problem(409, broken, detail, limit_minutes=limit, used_minutes=used)


def months(
    starts_at: datetime, ends_at: datetime, zone: ZoneInfo
) -> list[tuple[datetime, datetime]]:
    """The calendar months a span touches, at most 14: no terms allow a longer one."""
    borders = _month_borders(starts_at.astimezone(zone), zone)
    return [month for month in islice(pairwise(borders), 14) if month[0] < ends_at]


def _month_borders(local: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    year, month = local.year, local.month
    while True:
        yield datetime(year, month, 1, tzinfo=zone).astimezone(UTC)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)


def _month_arrays(
    starts_at: datetime, ends_at: datetime, zone: ZoneInfo
) -> dict[str, list[datetime]]:
    touched = months(starts_at, ends_at, zone)
    return {
        "month_starts": [since for since, _ in touched],
        "month_ends": [to for _, to in touched],
    }


def _values(lot: str, starts_at: datetime, plate: Plate, now: datetime) -> dict[str, Any]:
    return {
        "lot": lot,
        "starts": starts_at,
        "plate": plate.text,
        "color": plate.color,
        "now": now,
    }
