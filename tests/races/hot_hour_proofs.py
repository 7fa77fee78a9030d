"""What must hold of a garage whatever has happened in it: SQL that finds what breaks a rule."""

ACTIVE = "status IN ('confirmed', 'checked_in')"
NEVER_USED = "upper({0}.during) = lower({0}.during) + interval '1 microsecond'"

PROOFS = {
    "no two claims of a space overlap, live or released; one released before it began is none": f"""
        SELECT a.id, b.id, a.space_id, a.during, b.during, a.live, b.live
        FROM space_claim a JOIN space_claim b
            ON a.space_id = b.space_id AND a.id < b.id AND a.during && b.during
        WHERE NOT {NEVER_USED.format("a")} AND NOT {NEVER_USED.format("b")}
    """,
    "no two vehicles stand on one space": """
        SELECT space_id FROM stay WHERE status = 'open' GROUP BY space_id HAVING count(*) > 1
    """,
    "no plate has two bookings at one instant": f"""
        SELECT a.id, b.id FROM booking a JOIN booking b ON a.plate = b.plate AND a.id < b.id
            AND tstzrange(a.starts_at, a.ends_at) && tstzrange(b.starts_at, b.ends_at)
        WHERE a.{ACTIVE} AND b.{ACTIVE} AND a.kind = 'guest' AND b.kind = 'guest'
    """,
    "every active booking lies inside of what its space offers": f"""
        SELECT b.id FROM booking b JOIN space s ON s.id = b.space_id
        WHERE b.{ACTIVE} AND NOT (s.in_service AND s.lot_id = b.lot_id
            AND coalesce(s.offered @> tstzrange(b.starts_at, b.ends_at), true))
    """,
    "an active booking has one live claim, on its space and for all of its time to come": f"""
        SELECT b.id, b.status, b.space_id, b.starts_at, b.ends_at,
            (SELECT array_agg(c::text) FROM space_claim c WHERE c.booking_id = b.id)
        FROM booking b
        WHERE b.{ACTIVE} AND (
            SELECT count(*) FROM space_claim c WHERE c.booking_id = b.id AND c.live
              AND c.space_id = b.space_id
              AND lower(c.during) <= greatest(b.starts_at, %(now)s)
              AND upper(c.during) >= b.ends_at
              AND (b.status = 'checked_in'
                   OR c.during <@ tstzrange(b.starts_at, b.ends_at))
        ) <> 1
    """,
    "a booking that has ended holds nothing": f"""
        SELECT b.id FROM booking b JOIN space_claim c ON c.booking_id = b.id
        WHERE c.live AND NOT b.{ACTIVE}
    """,
    "a claim of a booking is of a booking": """
        SELECT c.id FROM space_claim c LEFT JOIN booking b ON b.id = c.booking_id
        WHERE c.booking_id IS NOT NULL AND b.id IS NULL
    """,
    "who has come on a booking is inside on it, and who is inside on one has come": """
        SELECT b.id, s.id FROM booking b
        FULL JOIN (SELECT * FROM stay WHERE status = 'open' AND booking_id IS NOT NULL) s
            ON s.booking_id = b.id
        WHERE (b.status IS NOT DISTINCT FROM 'checked_in') <> (s.id IS NOT NULL)
    """,
    "who is inside holds one space, the one of the stay; who left holds none": """
        SELECT s.id FROM stay s
        WHERE (s.status = 'open')::int <> (
            SELECT count(*) FROM space_claim c
            WHERE c.stay_id = s.id AND c.live AND c.space_id = s.space_id)
    """,
    "who is inside on a booking stands where it says": """
        SELECT s.id FROM stay s JOIN booking b ON b.id = s.booking_id
        WHERE s.status = 'open' AND s.space_id <> b.space_id
    """,
    "who waited was booked at most once": """
        SELECT booking_id FROM waitlist_entry WHERE booking_id IS NOT NULL
        GROUP BY booking_id HAVING count(*) > 1
        UNION ALL
        SELECT w.id FROM waitlist_entry w LEFT JOIN booking b ON b.id = w.booking_id
            AND (b.plate, b.household_id, b.lot_id, b.starts_at) =
                (w.plate, w.household_id, w.lot_id, w.starts_at)
        WHERE w.status = 'booked' AND b.id IS NULL
        UNION ALL
        SELECT w.id FROM waitlist_entry w
        WHERE (w.status = 'booked')::int <> (SELECT count(*) FROM notice n
            WHERE n.kind = 'waitlist-booked' AND n.about_id = w.booking_id)
    """,
    "no household has more open than its quota": f"""
        SELECT household_id FROM booking WHERE {ACTIVE} AND kind = 'guest'
        GROUP BY household_id HAVING household_id IS NOT NULL AND count(*) > %(household_open)s
    """,
    "no household waits for more than its quota": """
        SELECT household_id FROM waitlist_entry WHERE status = 'waiting'
        GROUP BY household_id HAVING count(*) > %(household_open)s
    """,
    "as many vehicles of a permit are inside as it has places": """
        SELECT p.id FROM permit p
        WHERE p.places < (SELECT count(*) FROM stay s
                          WHERE s.permit_id = p.id AND s.status = 'open' AND s.swap_until IS NULL)
    """,
    "a closed stay was charged its fee": """
        SELECT s.id, s.fee_fen FROM stay s
        WHERE s.status = 'closed' AND s.fee_fen <> (
            SELECT coalesce(sum(c.amount_fen), 0) FROM charge c
            WHERE c.source = 'stay' AND c.source_id = s.id)
    """,
    "a booking was charged at most once, and only when it was cancelled or nobody came": """
        SELECT b.id FROM booking b JOIN charge c ON c.source = 'booking' AND c.source_id = b.id
        GROUP BY b.id, b.status HAVING count(*) > 1 OR b.status NOT IN ('cancelled', 'no_show')
    """,
    "who did not come was told once": """
        SELECT b.id FROM booking b WHERE b.household_id IS NOT NULL
          AND (b.status = 'no_show')::int <> (SELECT count(*) FROM notice n
              WHERE n.kind = 'booking-no-show' AND n.about_id = b.id)
    """,
    "who stayed on was told at most once": """
        SELECT about_id FROM notice WHERE kind = 'overstay' GROUP BY about_id HAVING count(*) > 1
    """,
    "an owner is given one other space at a time": f"""
        SELECT instead_of_id FROM booking WHERE kind = 'replacement' AND {ACTIVE}
        GROUP BY instead_of_id HAVING count(*) > 1
    """,
}
