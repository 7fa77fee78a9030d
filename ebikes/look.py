"""What a dock asks the database, in one statement: device, spot, e-bike, booking, claims, money.

Three locks are taken before, each in a statement of its own, always in this order: the e-bike,
the spot, the spot's group. The look after them sees what whoever held them has written.
"""

from devices.registry import HEARD, KNOWN

UNKNOWN_CHARGING = "charging-unknown"
"""Exception of a reading that belongs to no charging (yet)."""

ONE_SPOT = "SELECT pg_advisory_xact_lock(hashtextextended('dock ' || %(spot)s::text, 0))"

ONE_GROUP = """
SELECT g.id FROM space_group g JOIN space s ON s.group_id = g.id WHERE s.code = %(spot)s
FOR UPDATE OF g
"""

# The device, whether we heard this before, and the spot; `spot` is null outside of e-bike lots.
DEVICE_FROM = """
FROM device d
LEFT JOIN device_event seen ON seen.device_id = d.id AND seen.event_key = %(key)s
LEFT JOIN LATERAL (
    SELECT s.* FROM space s JOIN lot ON lot.id = s.lot_id
    WHERE s.code = %(spot)s AND lot.kind = 'ebike'
) spot ON true
"""

# Claims that are not the e-bike's own, by its stay or its booking.
OTHERS = """
    c.live AND c.lot_id = spot.lot_id
    AND (inside.stay_id IS NULL OR c.stay_id IS DISTINCT FROM inside.stay_id)
    AND (booked.booking_id IS NULL OR c.booking_id IS DISTINCT FROM booked.booking_id)
"""

LOOK = f"""
SELECT {HEARD},
    spot.id AS spot_id, spot.code AS spot, spot.in_service, spot.charging, spot.lot_id,
    lot.code AS lot, spot.owner_household_id, lot.takes_walk_ins,
    spot.compartment IN (SELECT car.compartment FROM space car JOIN lot garage
                         ON garage.id = car.lot_id AND garage.kind = 'car') AS beside_cars,
    EXISTS (SELECT FROM blocked_plate WHERE plate = %(plate)s) AS blocked,
    vehicle.household_id,
    price.id AS tariff_id, price.version AS tariff_version, price.rules AS tariff_rules,
    usual.rules AS terms,
    inside.*, booked.*,
    here.taken, here.next_at, crowd.full_at AS group_full_at,
    left_before.exited_at AS left_at, left_before.answer AS left_answer,
    overtaken.by IS NOT NULL AS overtaken, came_before.exited_at AS came_before_until,
    pending.*,
    nextval('stay_id_seq') AS new_stay_id, nextval('charging_id_seq') AS new_charging_id
{DEVICE_FROM}
LEFT JOIN lot ON lot.id = spot.lot_id
LEFT JOIN vehicle ON vehicle.plate = %(plate)s AND vehicle.plate_color = %(color)s
LEFT JOIN LATERAL (
    SELECT t.id, t.version, t.rules FROM tariff t
    WHERE t.lot_id = lot.id AND t.valid_from <= %(at)s ORDER BY t.valid_from DESC LIMIT 1
) price ON true
LEFT JOIN LATERAL (
    SELECT rules FROM booking_terms WHERE lot_id = lot.id AND valid_from <= %(at)s
    ORDER BY valid_from DESC LIMIT 1
) usual ON true
LEFT JOIN LATERAL (
    SELECT s.id AS stay_id, s."right", s.entered_at, place.code AS stay_space,
        s.household_id AS stay_household_id,
        CASE WHEN NOT e.history THEN e.answer END AS entered_answer
    FROM stay s
    LEFT JOIN space place ON place.id = s.space_id
    LEFT JOIN device_event e ON e.id = s.entry_event_id
    WHERE s.lot_id = lot.id AND s.status = 'open'
      AND s.plate = %(plate)s AND s.plate_color = %(color)s
    FOR UPDATE OF s
) inside ON true
LEFT JOIN LATERAL (
    SELECT b.id AS booking_id, b.space_id AS booked_space_id, place.code AS booked_space,
        b.starts_at AS booking_starts_at, b.tariff_id AS booked_tariff_id,
        b.household_id AS booked_household_id, terms.rules AS booked_terms,
        t.version AS booked_tariff_version, t.rules AS booked_tariff_rules,
        (spot.offered IS NULL OR spot.offered @> tstzrange(b.starts_at, b.ends_at))
        AND NOT EXISTS (
            SELECT FROM space_claim c WHERE c.live AND c.lot_id = lot.id AND c.space_id = spot.id
              AND c.booking_id IS DISTINCT FROM b.id
              AND (c.stay_id IS NOT NULL
                   OR c.during && tstzrange(least(b.starts_at, %(now)s), b.ends_at))
        ) AS free_here,
        (SELECT capacity FROM space_group WHERE id = spot.group_id) > group_peak(
            spot.group_id, tstzrange(least(b.starts_at, %(now)s), b.ends_at),
            (SELECT id FROM space_claim WHERE booking_id = b.id)) AS room_here
    FROM booking b
    JOIN space place ON place.id = b.space_id
    LEFT JOIN booking_terms terms ON terms.id = b.terms_id
    LEFT JOIN tariff t ON t.id = b.tariff_id
    WHERE %(comes)s AND b.lot_id = lot.id AND b.plate = %(plate)s AND b.kind = 'guest'
      AND b.status = 'confirmed' AND b.ends_at > %(now)s
    ORDER BY b.starts_at LIMIT 1 FOR UPDATE OF b
) booked ON true
LEFT JOIN LATERAL (
    SELECT bool_or(c.stay_id IS NOT NULL OR c.during @> %(now)s::timestamptz) AS taken,
        min(lower(c.during)) FILTER (WHERE lower(c.during) > %(now)s) AS next_at
    FROM space_claim c WHERE {OTHERS} AND c.space_id = spot.id
) here ON %(comes)s
LEFT JOIN LATERAL (
    SELECT min(instant) AS full_at FROM (
        SELECT instants.instant FROM (
            SELECT %(now)s::timestamptz AS instant
            UNION SELECT lower(c.during) FROM space_claim c
            WHERE {OTHERS} AND c.group_id = spot.group_id AND lower(c.during) > %(now)s
        ) instants
        JOIN space_claim c ON {OTHERS} AND c.group_id = spot.group_id
            AND (c.during @> instants.instant
                 OR c.stay_id IS NOT NULL AND instants.instant = %(now)s)
        GROUP BY instants.instant
        HAVING count(*) >= (SELECT capacity FROM space_group WHERE id = spot.group_id)
    ) full_instants
) crowd ON %(comes)s AND spot.group_id IS NOT NULL
LEFT JOIN LATERAL (
    SELECT s.exited_at, e.answer FROM stay s JOIN device_event e ON e.id = s.exit_event_id
    WHERE s.plate = %(plate)s AND s.plate_color = %(color)s AND s.lot_id = lot.id
      AND s.status = 'closed' AND NOT e.history AND e.answer ->> 'action' = 'open'
      AND e.data ->> 'spot' = %(spot)s
    ORDER BY s.exited_at DESC LIMIT 1
) left_before ON NOT %(comes)s AND inside.stay_id IS NULL
LEFT JOIN LATERAL (
    SELECT s.exited_at FROM stay s
    WHERE s.plate = %(plate)s AND s.plate_color = %(color)s AND s.lot_id = lot.id
      AND s.exited_at <= %(at)s
    ORDER BY s.exited_at DESC LIMIT 1
) came_before ON %(comes)s
LEFT JOIN LATERAL (
    SELECT s.id AS by FROM stay s
    WHERE s.plate = %(plate)s AND s.plate_color = %(color)s AND s.lot_id = lot.id
      AND s.exited_at > %(at)s::timestamptz + interval '10 seconds'
    LIMIT 1
) overtaken ON true
LEFT JOIN LATERAL (
    SELECT k.id AS pending_case_id, e.occurred_at AS pending_at, e.id AS pending_event_id,
        (e.data ->> 'energy_wh')::bigint AS pending_wh, (e.data ->> 'seconds')::int AS pending_s,
        e.data ->> 'stop_reason' AS pending_reason
    FROM exception_case k JOIN device_event e ON e.id = k.event_id
    WHERE k.resolved_at IS NULL AND k.reason = '{UNKNOWN_CHARGING}'
      AND e.data ->> 'spot' = %(spot)s AND e.occurred_at >= %(at)s
    ORDER BY e.occurred_at LIMIT 1
    FOR UPDATE OF k
) pending ON %(comes)s AND spot.charging
{KNOWN}
"""  # noqa: S608 - the pieces put together are constants of ours

# The charging a reading belongs to: the newest one at the spot that began before it.
LOOK_CHARGING = f"""
SELECT {HEARD}, spot.id AS spot_id, spot.code AS spot, one.*,
    (SELECT code FROM lot WHERE id = spot.lot_id) AS lot
{DEVICE_FROM}
LEFT JOIN LATERAL (
    SELECT c.id AS charging_id, c.stay_id, c.started_at, c.ended_at, c.seconds,
        s.status AS stay_status, s.household_id AS stay_household_id, s.plate, s.plate_color,
        t.id AS tariff_id, t.version AS tariff_version, t.rules AS tariff_rules,
        coalesce(balance.amount_fen, 0) AS balance_fen
    FROM charging c
    JOIN stay s ON s.id = c.stay_id
    LEFT JOIN tariff t ON t.id = c.tariff_id
    LEFT JOIN balance ON balance.household_id = s.household_id
    WHERE c.space_id = spot.id AND c.started_at <=
        CASE WHEN d.clock_off_seconds IS NULL OR %(history)s THEN %(at)s ELSE %(now)s END
    ORDER BY c.started_at DESC LIMIT 1
    FOR UPDATE OF c
) one ON true
{KNOWN}
"""  # noqa: S608 - the pieces put together are constants of ours
