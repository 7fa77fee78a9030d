"""The gate's SQL: everything an answer depends on in one statement, because a vehicle waits.

The pieces that price a stay (`BILL`, `BILL_FROM`, `CHARGED_PARTS`) are shared with whoever else
shows or closes one.
"""

from devices.registry import KNOWN
from parking.terms import Terms

# A vehicle is the same when text and colour agree; an unknown colour agrees with any.
SAME_COLOR = "({0}.plate_color = %(color)s OR 'unknown' IN ({0}.plate_color, %(color)s::text))"

# One vehicle at a time. It is a statement of its own because the look after it must see what
# whoever held the lock has written.
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('plate ' || %(plate)s::text, 0))"

# Who comes in counts: the vehicles of one permit among each other, and everybody where floating
# permits are owed a part of the lot. Taken after the plate, before the look, as that is.
COUNTED_ALONE = """
SELECT pg_advisory_xact_lock(hashtextextended(counted.what, 0)) FROM (
    SELECT 'permit ' || pp.permit_id AS what, 0 AS rank, pp.permit_id AS id
    FROM permit_plate pp
    WHERE pp.plate = %(plate)s AND EXISTS (
        SELECT FROM permit_plate o WHERE o.permit_id = pp.permit_id AND o.id <> pp.id)
    UNION ALL
    SELECT 'entries ' || lane.lot_id, 1, lane.lot_id FROM device d JOIN lane ON lane.id = d.lane_id
    WHERE %(digest)s IN (d.token_digest, d.previous_token_digest) AND lane.direction = 'entry'
      AND EXISTS (SELECT FROM permit p WHERE p.lot_id = lane.lot_id AND p.space_id IS NULL
                  AND p.starts_at <= %(at)s AND %(at)s < p.ends_at)
    ORDER BY rank, id
) counted
"""

USUAL = Terms()
# How long a vehicle that says nothing is expected to stay, and the shortest time it needs.
HELD_UNTIL = """coalesce(booked.booking_ends_at,
    greatest(%(at)s, %(now)s) + make_interval(mins => usual.hold_minutes))"""
NEEDED_UNTIL = """coalesce(booked.booking_ends_at,
    greatest(%(at)s, %(now)s) + make_interval(mins => usual.least_minutes))"""

# What prices a stay `s` beside its instants: its own columns, the permits of its vehicle with
# their hours, its booking with the terms frozen in it, its tariff, and the calendar's exceptions.
BILL = """
    s.entered_at, s.household_id AS stay_household_id, s.vehicle_class AS stay_vehicle_class,
    s.new_energy, s.left_before_at, s.swap_until,
    space.code AS stay_space, space.owner_household_id AS stay_owner_household_id,
    CASE WHEN s.permit_id IS NOT NULL THEN (
        SELECT jsonb_agg(DISTINCT jsonb_build_object(
            'from', p.starts_at, 'until', p.ends_at, 'hours', p.hours))
        FROM permit_plate own
        JOIN permit_plate same ON same.plate = own.plate
        JOIN permit p ON p.id = same.permit_id AND p.lot_id = s.lot_id
            AND p.ends_at > s.entered_at
        WHERE own.permit_id = s.permit_id
    ) END AS stay_rights,
    CASE WHEN s.swap_until IS NOT NULL THEN (
        SELECT min(o.exited_at) FROM stay o
        WHERE o.permit_id = s.permit_id AND o.id <> s.id AND o.entered_at < s.entered_at
          AND o.exited_at > s.entered_at
    ) END AS stay_freed_at,
    b.id AS stay_booking_id, b.starts_at AS booked_from, b.ends_at AS booked_until,
    (SELECT rules FROM booking_terms WHERE id = b.terms_id) AS booked_terms,
    t.id AS stay_tariff_id, t.version AS stay_tariff_version, t.rules AS stay_rules,
    (SELECT jsonb_object_agg(day, kind) FROM calendar_day
     WHERE day >= (s.entered_at - interval '2 days')::date) AS calendar
"""
BILL_FROM = """
LEFT JOIN space ON space.id = s.space_id
LEFT JOIN booking b ON b.id = s.booking_id AND b.kind = 'guest'
LEFT JOIN tariff t ON t.id = s.tariff_id
"""

# What was charged so far, by income, whatever of it was credited.
CHARGED_PARTS = """(
    SELECT jsonb_object_agg(income, fen) FROM (
        SELECT part.income, sum(part.fen) AS fen FROM charge c
        CROSS JOIN LATERAL (
            SELECT key AS income, value::bigint AS fen FROM jsonb_each_text(c.parts)
            UNION ALL SELECT c.income, c.amount_fen WHERE c.parts IS NULL
        ) part
        WHERE c.source = {0}.source AND c.source_id = {0}.source_id AND c.kind <> 'credit'
        GROUP BY part.income
    ) charged
)"""

# A community space on which nobody stands, and which nobody holds in a time.
UNHELD = """
    s.lot_id = lot.id AND s.in_service AND s.owner_household_id IS NULL
    AND (s.offered IS NULL OR s.offered @> tstzrange(%(at)s, {0}))
    AND NOT EXISTS (SELECT FROM space_claim c WHERE c.live AND c.lot_id = s.lot_id
                    AND c.space_id = s.id
                    AND (c.stay_id IS NOT NULL OR c.during && tstzrange(%(at)s, {0})))
"""
WANTS_ANY = """lane.direction = 'entry' AND fixed.id IS NULL AND inside.stay_id IS NULL
    AND blocked.plate IS NULL AND seen.id IS NULL AND NOT coalesce(booked.ready, false)"""

LOOK = f"""
SELECT
    d.id AS device_id, d.code AS device, d.serial, d.display, d.clock_off_seconds,
    lane.direction, lane.code AS lane,
    lot.id AS lot_id, lot.code AS lot, lot.kind AS lot_kind, lot.takes_walk_ins,
    seen.type AS seen_type, seen.data AS seen_data, seen.answer AS seen_answer,
    seen.recorded_at AS seen_at,
    blocked.plate IS NOT NULL AS blocked,
    coalesce(inside.stay_household_id, vehicle.household_id) AS household_id,
    vehicle.vehicle_class, coalesce(balance.amount_fen, 0) AS balance_fen,
    permit.id AS permit_id, permit.starts_at AS permit_starts_at, permit.ends_at AS permit_ends_at,
    permit.hours AS permit_hours, permit.places - permit.inside AS permit_places,
    permit.swap_minutes,
    booked.*,
    coalesce(booked.booked_tariff_id, price.id) AS tariff_id,
    fixed.id AS fixed_id, coalesce(fixed.id, roomy.id, tight.id) AS free_id,
    coalesce(fixed.code, roomy.code, tight.code) AS free_code,
    crowd.free AS community_free, floating.reserved,
    (SELECT jsonb_object_agg(day, kind) FROM calendar_day
     WHERE day BETWEEN %(at)s::date - 2 AND %(at)s::date + 2) AS calendar_now,
    usual.hold_minutes AS walk_in_hold_minutes,
    inside.*,
    money.charged_fen, money.paid_fen, money.credited_fen, money.charged_at, money.moved_at,
    money.charged_parts,
    left_before.exited_at AS left_at, left_before.answer AS left_answer,
    overtaken.by IS NOT NULL AS overtaken,
    came_before.exited_at AS came_before_until,
    nextval('device_event_id_seq') AS event_id, nextval('stay_id_seq') AS new_stay_id
FROM device d
LEFT JOIN lane ON lane.id = d.lane_id
LEFT JOIN lot ON lot.id = lane.lot_id
LEFT JOIN device_event seen ON seen.device_id = d.id AND seen.event_key = %(key)s
LEFT JOIN blocked_plate blocked ON blocked.plate = %(plate)s
LEFT JOIN LATERAL (
    SELECT v.household_id, v.vehicle_class FROM vehicle v
    WHERE v.plate = %(plate)s AND {SAME_COLOR.format("v")}
    ORDER BY v.plate_color = %(color)s::text DESC LIMIT 1
) vehicle ON true
LEFT JOIN LATERAL (
    SELECT p.id, p.space_id, p.starts_at, p.ends_at, p.hours, p.places, p.swap_minutes,
        (SELECT count(*) FROM stay o WHERE o.permit_id = p.id AND o.status = 'open') AS inside
    FROM permit_plate pp JOIN permit p ON p.id = pp.permit_id
    WHERE pp.plate = %(plate)s AND {SAME_COLOR.format("pp")} AND p.lot_id = lot.id
      AND p.starts_at <= %(at)s AND %(at)s < p.ends_at
    ORDER BY p.hours IS NULL DESC, p.ends_at DESC LIMIT 1
) permit ON true
LEFT JOIN LATERAL (
    SELECT t.id FROM tariff t WHERE t.lot_id = lot.id AND t.valid_from <= %(at)s
    ORDER BY t.valid_from DESC LIMIT 1
) price ON true
LEFT JOIN LATERAL (
    SELECT coalesce((terms.rules ->> 'walk_in_hold_minutes')::int, {USUAL.walk_in_hold_minutes})
               AS hold_minutes,
           coalesce((terms.rules ->> 'walk_in_least_minutes')::int, {USUAL.walk_in_least_minutes})
               AS least_minutes
    FROM (VALUES (1)) one LEFT JOIN LATERAL (
        SELECT rules FROM booking_terms WHERE lot_id = lot.id AND valid_from <= %(at)s
        ORDER BY valid_from DESC LIMIT 1
    ) terms ON true
) usual ON lane.direction = 'entry'
LEFT JOIN LATERAL (
    SELECT s.id AS stay_id, s."right", s.space_id AS stay_space_id,
        CASE WHEN NOT entry_event.history THEN entry_event.answer END AS entered_answer,
        {BILL}
    FROM stay s
    {BILL_FROM}
    LEFT JOIN device_event entry_event ON entry_event.id = s.entry_event_id
    WHERE s.lot_id = lot.id AND s.status = 'open'
      AND s.plate = %(plate)s AND {SAME_COLOR.format("s")}
    ORDER BY s.plate_color = %(color)s::text DESC LIMIT 1
    FOR UPDATE OF s
) inside ON true
LEFT JOIN balance
    ON balance.household_id = coalesce(inside.stay_household_id, vehicle.household_id)
LEFT JOIN LATERAL (
    SELECT b.id AS booking_id, b.kind AS booking_kind, b.starts_at AS booking_starts_at,
        b.ends_at AS booking_ends_at, b.tariff_id AS booked_tariff_id,
        b.vehicle_class AS booked_vehicle_class, b.new_energy AS booked_new_energy,
        b.household_id AS booked_household_id,
        terms.rules AS booking_terms, place.id AS booked_space_id, place.code AS booked_space,
        (place.offered IS NULL
         OR place.offered @> tstzrange(least(%(at)s, b.starts_at), b.ends_at))
        AND NOT EXISTS (
            SELECT FROM space_claim c WHERE c.live AND c.lot_id = b.lot_id
              AND c.space_id = b.space_id AND c.booking_id IS DISTINCT FROM b.id
              AND (c.stay_id IS NOT NULL OR c.during && tstzrange(%(at)s, b.ends_at))
        ) AS ready
    FROM (
        SELECT b.* FROM booking b
        WHERE lane.direction = 'entry' AND inside.stay_id IS NULL AND seen.id IS NULL
          AND b.lot_id = lot.id AND b.status = 'confirmed' AND b.ends_at > %(at)s
          AND (b.plate = %(plate)s AND {SAME_COLOR.format("b")}
               OR b.instead_of_id = permit.id)
        ORDER BY b.starts_at LIMIT 1 FOR UPDATE
    ) b
    JOIN space place ON place.id = b.space_id
    LEFT JOIN booking_terms terms ON terms.id = b.terms_id
) booked ON true
LEFT JOIN LATERAL (
    SELECT r.charged_fen, r.paid_fen, r.credited_fen, r.charged_at, r.moved_at,
        {CHARGED_PARTS.format("r")} AS charged_parts
    FROM receivable r WHERE r.source = 'stay' AND r.source_id = inside.stay_id
) money ON lane.direction = 'exit'
LEFT JOIN LATERAL (
    SELECT s.exited_at, e.answer FROM stay s JOIN device_event e ON e.id = s.exit_event_id
    WHERE s.plate = %(plate)s AND {SAME_COLOR.format("s")} AND s.lot_id = lot.id
      AND s.status = 'closed' AND NOT e.history AND e.answer ->> 'action' = 'open'
    ORDER BY s.exited_at DESC LIMIT 1
) left_before ON lane.direction = 'exit' AND inside.stay_id IS NULL
LEFT JOIN LATERAL (
    SELECT s.exited_at FROM stay s
    WHERE s.plate = %(plate)s AND {SAME_COLOR.format("s")} AND s.lot_id = lot.id
      AND s.exited_at <= %(at)s
    ORDER BY s.exited_at DESC LIMIT 1
) came_before ON lane.direction = 'entry'
LEFT JOIN LATERAL (
    SELECT s.id AS by FROM stay s
    WHERE s.plate = %(plate)s AND {SAME_COLOR.format("s")} AND s.lot_id = lot.id
      AND s.exited_at > %(at)s::timestamptz + interval '10 seconds'
    LIMIT 1
) overtaken ON true
LEFT JOIN LATERAL (
    SELECT s.id, s.code FROM space s
    WHERE s.id = permit.space_id AND s.in_service AND lane.direction = 'entry'
      AND NOT EXISTS (SELECT FROM space_claim c WHERE c.live AND c.lot_id = s.lot_id
                      AND c.space_id = s.id
                      AND (c.stay_id IS NOT NULL OR c.during && tstzrange(
                          %(at)s, greatest(%(at)s::timestamptz, %(now)s), '[]')))
) fixed ON true
LEFT JOIN LATERAL (
    SELECT s.id, s.code FROM space s
    WHERE {WANTS_ANY} AND {UNHELD.format(HELD_UNTIL)}
    ORDER BY s.id LIMIT 1 FOR NO KEY UPDATE OF s SKIP LOCKED
) roomy ON true
LEFT JOIN LATERAL (
    SELECT s.id, s.code FROM space s
    WHERE roomy.id IS NULL AND {WANTS_ANY} AND {UNHELD.format(NEEDED_UNTIL)}
    ORDER BY (SELECT min(lower(c.during)) FROM space_claim c
              WHERE c.live AND c.lot_id = s.lot_id AND c.space_id = s.id) DESC NULLS FIRST, s.id
    LIMIT 1 FOR NO KEY UPDATE OF s SKIP LOCKED
) tight ON true
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object(
        'places', p.places - (SELECT count(*) FROM stay o
                              WHERE o.permit_id = p.id AND o.status = 'open'),
        'from', p.starts_at, 'until', p.ends_at, 'hours', p.hours)) AS reserved
    FROM permit p
    WHERE permit.id IS NULL AND {WANTS_ANY} AND p.lot_id = lot.id AND p.space_id IS NULL
      AND p.starts_at <= %(at)s AND %(at)s < p.ends_at
) floating ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS free FROM space s
    WHERE floating.reserved IS NOT NULL AND {UNHELD.format(NEEDED_UNTIL)}
) crowd ON true
{KNOWN}
"""  # noqa: S608 - the pieces put together are constants of ours

NEIGHBOUR = """
SELECT s.id, s.status, s.entered_at, s.exited_at FROM stay s
WHERE s.plate = %(plate)s AND {color} AND s.lot_id = %(lot)s
  AND coalesce(s.entered_at, s.exited_at) {side} %(at)s
ORDER BY coalesce(s.entered_at, s.exited_at) {order}, s.id {order} LIMIT 1 FOR UPDATE
"""
BEFORE = NEIGHBOUR.format(color=SAME_COLOR.format("s"), side="<=", order="DESC")
AFTER = NEIGHBOUR.format(color=SAME_COLOR.format("s"), side=">", order="ASC")
