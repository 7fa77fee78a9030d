-- The ceiling: what a walk-in entry reads and writes, as one function call and one transaction.
-- Its rows are those of the gate (device_event, stay, space_claim); retries are left out.
CREATE FUNCTION bench_entry(
    digest bytea, said_key text, said_at timestamptz, said_raw bytea, said_data jsonb,
    read_plate text, read_color text
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    heard timestamptz := clock_timestamp();
    happened timestamptz := least(said_at, heard);
    gate record;
    seen record;
    debtor record;
    chosen record;
    permit_found record;
    booking_found bigint;
    held interval;
    came_before timestamptz;
    tariff_found bigint;
    new_stay bigint := nextval('stay_id_seq');
    new_event bigint := nextval('device_event_id_seq');
    decision jsonb;
BEGIN
    SELECT d.id, d.display, lane.direction, lane.lot_id, lot.takes_walk_ins INTO gate
    FROM device d JOIN lane ON lane.id = d.lane_id JOIN lot ON lot.id = lane.lot_id
    WHERE d.active AND d.token_digest = digest;
    IF gate.direction IS DISTINCT FROM 'entry' THEN RAISE 'no entry device'; END IF;

    PERFORM pg_advisory_xact_lock(hashtextextended('plate ' || read_plate, 0));
    SELECT e.answer, e.recorded_at INTO seen
    FROM device_event e WHERE e.device_id = gate.id AND e.event_key = said_key;
    IF FOUND THEN
        RETURN jsonb_build_object('event_id', said_key, 'duplicate', true,
            'recorded_at', seen.recorded_at, 'decision', seen.answer);
    END IF;

    IF EXISTS (SELECT FROM blocked_plate b WHERE b.plate = read_plate) THEN RAISE 'blocked'; END IF;
    IF EXISTS (SELECT FROM stay s WHERE s.lot_id = gate.lot_id AND s.status = 'open'
               AND s.plate = read_plate AND s.plate_color = read_color) THEN
        RAISE 'already inside';
    END IF;
    SELECT v.household_id, b.amount_fen INTO debtor
    FROM vehicle v LEFT JOIN balance b ON b.household_id = v.household_id
    WHERE v.plate = read_plate AND v.plate_color = read_color;
    SELECT p.id, p.space_id, p.hours INTO permit_found
    FROM permit_plate pp JOIN permit p ON p.id = pp.permit_id
    WHERE pp.plate = read_plate AND pp.plate_color = read_color AND p.lot_id = gate.lot_id
      AND p.starts_at <= happened AND happened < p.ends_at
    ORDER BY p.ends_at DESC LIMIT 1;
    SELECT b.id INTO booking_found FROM booking b
    WHERE b.lot_id = gate.lot_id AND b.status = 'confirmed' AND b.ends_at > happened
      AND b.plate = read_plate
    ORDER BY b.starts_at LIMIT 1;
    IF booking_found IS NOT NULL THEN RAISE 'not a walk-in'; END IF;
    IF permit_found.id IS NULL AND NOT gate.takes_walk_ins THEN RAISE 'no right'; END IF;
    SELECT make_interval(mins => coalesce((SELECT (t.rules ->> 'walk_in_hold_minutes')::int
        FROM booking_terms t WHERE t.lot_id = gate.lot_id AND t.valid_from <= happened
        ORDER BY t.valid_from DESC LIMIT 1), 720)) INTO held;
    SELECT s.exited_at INTO came_before FROM stay s
    WHERE s.plate = read_plate AND s.plate_color = read_color AND s.lot_id = gate.lot_id
      AND s.exited_at <= happened
    ORDER BY s.exited_at DESC LIMIT 1;
    SELECT t.id INTO tariff_found FROM tariff t
    WHERE t.lot_id = gate.lot_id AND t.valid_from <= happened
    ORDER BY t.valid_from DESC LIMIT 1;
    SELECT s.id, s.code INTO chosen FROM space s
    WHERE s.lot_id = gate.lot_id AND s.in_service AND s.owner_household_id IS NULL
      AND (s.offered IS NULL OR s.offered @> tstzrange(happened, happened + held))
      AND NOT EXISTS (SELECT FROM space_claim c WHERE c.live AND c.lot_id = s.lot_id
                      AND c.space_id = s.id
                      AND (c.stay_id IS NOT NULL OR c.during && tstzrange(happened, happened + held)))
    ORDER BY s.id LIMIT 1 FOR UPDATE OF s SKIP LOCKED;
    IF chosen.id IS NULL THEN RAISE 'lot full'; END IF;

    decision := jsonb_build_object(
        'action', 'open', 'reason', 'walk-in', 'display', jsonb_build_array(read_plate, '欢迎光临'),
        'voice', '欢迎光临', 'stay_id', new_stay, 'booking_id', NULL, 'space', chosen.code,
        'fee', NULL);
    INSERT INTO device_event (id, device_id, event_key, type, occurred_at, recorded_at, history,
                              raw, data, answer)
    VALUES (new_event, gate.id, said_key, 'gate.request', said_at, heard, false,
            said_raw, said_data, decision);
    INSERT INTO stay (id, lot_id, plate, plate_color, status, "right", entered_at, entry_event_id,
                      space_id, permit_id, tariff_id, household_id, left_before_at)
    VALUES (new_stay, gate.lot_id, read_plate, read_color, 'open', 'walk-in', happened, new_event,
            chosen.id, permit_found.id, tariff_found, debtor.household_id, came_before);
    INSERT INTO space_claim (lot_id, space_id, during, stay_id)
    VALUES (gate.lot_id, chosen.id, tstzrange(happened, happened + held), new_stay);
    RETURN jsonb_build_object('event_id', said_key, 'duplicate', false, 'recorded_at', heard,
                              'decision', decision);
END $$;
