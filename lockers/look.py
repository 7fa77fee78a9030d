"""What a cabinet asks the database: everything an answer depends on, in one statement.

The cabinet is locked before, in a statement of its own, so that the look after it sees what
whoever held it has written. Whoever else changes a cabinet's doors or parcels takes that lock too.
"""

from couriers.accounts import standing
from couriers.rates import rate
from devices.registry import HEARD, KNOWN
from lockers.clocks import CLOCK, IN_FORCE, TERMS_OF
from lockers.lifecycle import ENDED, Step

ONE_CABINET = """
SELECT c.id FROM cabinet c JOIN device d ON d.id = c.device_id
WHERE %(digest)s IN (d.token_digest, d.previous_token_digest) FOR NO KEY UPDATE OF c
"""

# Two cabinets at once would each count on the same prepaid money.
ONE_COMPANY = """
SELECT pg_advisory_xact_lock(hashtextextended('courier company ' || company_id, 0))
FROM courier WHERE code = %(courier)s AND company_id IS NOT NULL
"""

_ENDED = ", ".join(f"'{phase}'" for phase in sorted(ENDED))
_STEPS = ", ".join(f"'{step}'" for step in Step)

# `cab` is null for a device that is no cabinet.
DEVICE_FROM = """
FROM device d
LEFT JOIN device_event seen ON seen.device_id = d.id AND seen.event_key = %(key)s
LEFT JOIN cabinet cab ON cab.device_id = d.id
"""

CABINET = """
    cab.id AS cabinet_id, cab.code AS cabinet, cab.name AS cabinet_name, cab.address
"""

# What happened to a parcel `p`, for its life to be worked out anew.
HAPPENED = f"""(
    SELECT jsonb_agg(jsonb_build_array(e.type, e.occurred_at, e.data ->> 'reason'))
    FROM parcel_event e WHERE e.parcel_id = p.id AND e.type IN ({_STEPS})
) AS happened"""  # noqa: S608 - constants of ours

PARCEL = f"""
    p.id AS parcel_id, p.phase, p.reason, p.tracking_number, p.size, p.recipient_phone,
    p.recipient_id, p.household_id, p.courier_id, p.reserved_at, p.deposited_at, p.free_until,
    p.opened_at, p.opened_by, p.fee_fen, p.deposit_fee_fen, p.due_at, p.reminded, p.reminded_at,
    p.reclaim_asked_at, p.removal_asked_at,
    p.company, {HAPPENED}
"""

COMPANY = standing("who.id")
FEE = rate(company="company.company_id", size="%(size)s", day="%(today)s")

RECIPIENT = """
LEFT JOIN LATERAL (
    SELECT person.id AS recipient_id, person.household_id
    FROM person WHERE person.phone = %(phone)s AND person.role = 'resident' AND person.active
    ORDER BY person.id LIMIT 1
) recipient ON true
LEFT JOIN LATERAL (
    SELECT locker, low_door FROM locker_preference
    WHERE person_id = recipient.recipient_id ORDER BY id DESC LIMIT 1
) preference ON true
"""

LOOK_DEPOSIT = f"""
SELECT {HEARD}, {CABINET}, cab.active AS in_service, cab.cameras_down_at,
    terms.id AS terms_id, terms.rules AS terms_rules,
    who.id AS courier_id, who.company_id IS NOT NULL AS courier_known,
    who.active AND coalesce(company.active, true) AS courier_active,
    company.party AS company, company.balance_fen, company.credit_fen,
    company.owed_fen + coalesce((
        SELECT sum(p.deposit_fee_fen) FROM parcel p
        WHERE p.company = company.party AND p.phase = 'reserved'
          AND p.tracking_number <> %(tracking)s), 0) AS owed_fen,
    CASE WHEN company.company_id IS NOT NULL THEN {FEE} END AS deposit_fee_fen,
    recipient.recipient_id, recipient.household_id, preference.locker, preference.low_door,
    EXISTS (SELECT FROM locker_membership m WHERE m.household_id = recipient.household_id
            AND %(today)s BETWEEN m.starts_on AND m.ends_on) AS member,
    before.*, wished.*,
    (SELECT jsonb_agg(jsonb_build_object(
        'size', kind.size, 'low', kind.low, 'count', kind.count, 'number', kind.number))
     FROM (SELECT k.size, k."row" <= cab.low_rows AS low, count(*) AS count,
                  min(k.number) AS number
           FROM compartment k WHERE k.cabinet_id = cab.id AND k.state = 'free'
           GROUP BY 1, 2) kind) AS free,
    nextval('parcel_id_seq') AS new_parcel_id
{DEVICE_FROM}
{IN_FORCE}
LEFT JOIN courier who ON who.code = %(courier)s
LEFT JOIN LATERAL ({COMPANY}) company ON true
{RECIPIENT}
LEFT JOIN LATERAL (
    SELECT p.id AS parcel_id, p.phase, p.size AS held_size, p.wanted AS wanted_before,
        k.number AS compartment, k.state AS compartment_state, p.cabinet_id AS parcel_cabinet_id
    FROM parcel p LEFT JOIN compartment k ON k.parcel_id = p.id
    WHERE p.courier_id = who.id AND p.tracking_number = %(tracking)s
      AND p.phase NOT IN ({_ENDED})
    FOR NO KEY UPDATE OF p
) before ON true
LEFT JOIN LATERAL (
    SELECT p.id AS wished_id, p.wanted FROM parcel p
    WHERE p.tracking_number = %(tracking)s AND p.recipient_id = recipient.recipient_id
      AND p.phase = 'expected'
    ORDER BY p.id DESC LIMIT 1 FOR NO KEY UPDATE OF p
) wished ON true
{KNOWN}
"""  # noqa: S608 - the pieces put together are constants of ours

# The newest parcel of that waybill, or of that door, which had come when this happened; of several
# the one that has the door which was named. What is dated before all of them is about none of
# them, unless it says that one was put in: some clock is wrong, but the parcel is there.
BY_WAYBILL = """
LEFT JOIN LATERAL (
    SELECT p.* FROM parcel p
    LEFT JOIN compartment k ON k.parcel_id = p.id AND k.number = %(number)s
    CROSS JOIN LATERAL (SELECT coalesce(p.reserved_at, p.recorded_at)
        <= %(at)s::timestamptz + interval '2 minutes' AS before) came
    WHERE p.cabinet_id = cab.id AND p.tracking_number = %(tracking)s
      AND (came.before OR %(put_in)s)
    ORDER BY k.id IS NOT NULL DESC, came.before DESC,
        coalesce(p.reserved_at, p.recorded_at) DESC, p.id DESC
    LIMIT 1 FOR NO KEY UPDATE OF p
) p ON true
"""

# A door has had thousands of parcels: the question is one step into an index in that order.
BY_DOOR = """
LEFT JOIN LATERAL (
    SELECT p.* FROM compartment k
    JOIN parcel p ON p.id = (
        SELECT id FROM parcel WHERE compartment_id = k.id
            AND coalesce(reserved_at, recorded_at) <= %(at)s::timestamptz + interval '2 minutes'
        ORDER BY coalesce(reserved_at, recorded_at) DESC, id DESC LIMIT 1)
    WHERE k.cabinet_id = cab.id AND k.number = %(number)s
    FOR NO KEY UPDATE OF p
) p ON true
"""

# All that what follows from one more step of a parcel `p` depends on. `own` is the compartment it
# has, `door` the one that was named, else its own.
ABOUT = f"""
    {PARCEL}, {CLOCK},
    door.id AS door_id, door.number AS door_number, door.state AS door_state,
    door.parcel_id AS door_parcel_id,
    own.id AS own_id, own.number AS own_number, own.state AS own_state,
    quiet.any_time, quiet.quiet_from, quiet.quiet_until,
    coalesce((SELECT charged_fen - paid_fen FROM receivable
              WHERE source = 'parcel' AND source_id = p.id), 0) AS owed_fen,
    EXISTS (SELECT FROM charge WHERE source = 'deposit' AND source_id = p.id) AS deposit_charged,
    EXISTS (SELECT FROM pickup_code c WHERE c.parcel_id = p.id AND c.kind = 'recipient'
            AND c.ended_at IS NULL) AS has_code,
    (SELECT jsonb_agg(x.reason) FROM exception_case x WHERE x.subject = 'parcel'
     AND x.subject_id = p.id AND x.resolved_at IS NULL) AS cases
"""  # noqa: S608 - the pieces put together are constants of ours

AROUND = f"""
{TERMS_OF}
LEFT JOIN courier ON courier.id = p.courier_id
LEFT JOIN compartment own ON own.parcel_id = p.id
LEFT JOIN compartment door ON door.cabinet_id = cab.id
    AND door.number = coalesce(%(number)s::int, own.number)
LEFT JOIN LATERAL (
    SELECT any_time, quiet_from, quiet_until FROM locker_preference
    WHERE person_id = p.recipient_id ORDER BY id DESC LIMIT 1
) quiet ON true
"""  # noqa: S608 - constants of ours

LOOK_PARCEL = f"""
SELECT {HEARD}, {CABINET}, {ABOUT},
    (SELECT asks.id FROM courier asks WHERE asks.code = %(asking)s::text AND asks.active
     AND (asks.id = courier.id OR asks.company_id = courier.company_id)) AS asking_id,
    nextval('parcel_id_seq') AS new_parcel_id
{DEVICE_FROM}
{{which}}
{AROUND}
{KNOWN}
"""  # noqa: S608 - the pieces put together are constants of ours

CABINET_OF = """
SELECT c.id FROM cabinet c JOIN parcel p ON p.cabinet_id = c.id WHERE p.id = %(parcel)s
FOR NO KEY UPDATE OF c
"""

LOOK_AT = f"""
SELECT {CABINET}, p.cabinet_id AS at_cabinet_id, {ABOUT}
FROM parcel p LEFT JOIN cabinet cab ON cab.id = p.cabinet_id
{AROUND}
WHERE p.id = %(parcel)s FOR NO KEY UPDATE OF p
"""  # noqa: S608 - the pieces put together are constants of ours

LOOK_BY_WAYBILL = LOOK_PARCEL.format(which=BY_WAYBILL)
LOOK_BY_DOOR = LOOK_PARCEL.format(which=BY_DOOR)

LOOK_PICKUP = f"""
SELECT {HEARD}, {CABINET}, cab.guesses, cab.guesses_since, cab.slow_until,
    rules.rules AS rules_in_force, code.*, tail.locked_until AS tail_locked_until,
    p.id AS parcel_id, p.deposited_at, p.household_id,
    own.id AS own_id, own.number AS own_number, own.state AS own_state, {CLOCK}
{DEVICE_FROM}
LEFT JOIN LATERAL (
    SELECT rules FROM locker_terms WHERE valid_from <= %(now)s ORDER BY valid_from DESC LIMIT 1
) rules ON true
LEFT JOIN LATERAL (
    SELECT c.id AS code_id, c.kind AS code_kind, c.name AS code_name, c.locked_until,
        c.expires_at, c.parcel_id AS code_parcel_id
    FROM pickup_code c
    WHERE c.cabinet_id = cab.id AND c.digest = %(code_digest)s AND c.ended_at IS NULL
) code ON true
LEFT JOIN LATERAL (
    SELECT max(c.locked_until) AS locked_until FROM pickup_code c
    WHERE c.cabinet_id = cab.id AND c.phone_tail = %(tail)s AND c.ended_at IS NULL
) tail ON true
LEFT JOIN parcel p ON p.id = code.code_parcel_id
LEFT JOIN compartment own ON own.parcel_id = p.id
{TERMS_OF}
{KNOWN}
"""  # noqa: S608 - the pieces put together are constants of ours

LOOK_DOOR = f"""
SELECT {HEARD}, {CABINET}, k.id AS door_id, k.number AS door_number, k.state AS door_state,
    k.parcel_id AS door_parcel_id
{DEVICE_FROM}
LEFT JOIN compartment k ON k.cabinet_id = cab.id AND k.number = %(number)s
{KNOWN}
"""

ELSEWHERE = """
SELECT cab.code, cab.name, cab.address, room.free
FROM cabinet cab CROSS JOIN LATERAL (
    SELECT count(*) AS free FROM compartment k
    WHERE k.cabinet_id = cab.id AND k.state = 'free' AND k.size = ANY (%(sizes)s)
) room
WHERE cab.active AND cab.id <> %(cabinet)s AND room.free > 0
ORDER BY cab.code LIMIT 3
"""
"""Other cabinets of the community with room for a parcel that found none here."""
