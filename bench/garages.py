"""What the gate is measured on: many small lots, and a year of stays behind them."""

import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from bench.ground import Ground, app_on
from core.db import atomic
from devices import registry
from identity import people
from parking import lots
from sample import CAR_RULES

LOTS = 64
SPACES = 320
PAST_STAYS = 40_000
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)

# A year of closed stays with both their events, so that tables, statistics and plans are
# those of a community that lives, not of one founded a minute ago.
PAST = f"""
SET session_replication_role = replica;
INSERT INTO device_event (id, device_id, event_key, type, occurred_at, recorded_at, history,
                          raw, data, answer)
SELECT n, d.id, 'past-' || n, 'gate.request', t.at, t.at, false, NULL, NULL, NULL
FROM generate_series(1, {2 * PAST_STAYS}) n
CROSS JOIN LATERAL (SELECT now() - interval '1 year' * n / {2.2 * PAST_STAYS}) t(at)
JOIN device d ON d.code = (ARRAY['entry-', 'exit-'])[n % 2 + 1] || (n % {LOTS} + 1);
INSERT INTO stay (id, lot_id, plate, plate_color, status, "right", entered_at, exited_at,
                  entry_event_id, exit_event_id, space_id, tariff_id, fee_fen)
SELECT n, s.lot_id, '川P' || lpad((n % 7000)::text, 5, '0'), 'blue', 'closed', 'walk-in',
       e.occurred_at, e.occurred_at + interval '40 minutes', 2 * n - 1, 2 * n, s.id, t.id, 300
FROM generate_series(1, {PAST_STAYS}) n
JOIN device_event e ON e.id = 2 * n - 1
JOIN (SELECT id, lot_id, row_number() OVER (ORDER BY id) AS place FROM space) s
  ON s.place = n % {LOTS * SPACES} + 1
JOIN tariff t ON t.lot_id = s.lot_id;
INSERT INTO space_claim (lot_id, space_id, during, stay_id, live)
SELECT lot_id, space_id, tstzrange(entered_at, exited_at), id, false FROM stay;
SELECT setval('device_event_id_seq', {2 * PAST_STAYS}), setval('stay_id_seq', {PAST_STAYS});
"""

FORGET = f"""
SET session_replication_role = replica;
DELETE FROM space_claim WHERE stay_id > {PAST_STAYS};
DELETE FROM stay WHERE id > {PAST_STAYS};
DELETE FROM exception_case;
DELETE FROM device_event WHERE id > {2 * PAST_STAYS};
"""

PAY = """
INSERT INTO payment (source, source_id, method, amount_fen, received_by, occurred_at, recorded_at)
SELECT source, source_id, 'cash', charged_fen - paid_fen, person.id, now(), now()
FROM receivable CROSS JOIN (SELECT min(id) FROM person) person(id)
WHERE charged_fen > paid_fen
"""

WRITTEN = f"""
SELECT (SELECT count(*) FROM device_event WHERE id > {2 * PAST_STAYS}),
       (SELECT count(*) FROM stay WHERE id > {PAST_STAYS} AND status = 'open'),
       (SELECT count(*) FROM space_claim WHERE stay_id > {PAST_STAYS} AND live)
"""


@dataclass(frozen=True, slots=True)
class Garages:
    """The lots and their gates in a database."""

    ground: Ground

    def reset(self) -> None:
        """Forget what the last round wrote, and begin the next with a fresh checkpoint."""
        self.ground.run(FORGET)
        self.ground.tidy("device_event", "stay", "space_claim", "space")

    def age_stays(self, *, hours: int) -> None:
        """Let every open stay have begun so many hours earlier."""
        earlier = f"entered_at - interval '{hours} hours'"
        self.ground.run(
            f"UPDATE stay SET entered_at = {earlier} WHERE status = 'open'",
            "VACUUM (ANALYZE) stay",
        )

    def pay_all(self) -> None:
        """Take cash for every stay that owes."""
        self.ground.run(PAY)

    def written(self) -> tuple[int, ...]:
        """How many events, open stays and live claims stand there since the reset."""
        return self.ground.ask(WRITTEN)


def built(ground: Ground) -> Garages:
    """Build the lots with their gates and their history."""
    with app_on(ground.url):
        atomic(_community)
    entry = (Path(__file__).parent / "entry.sql").read_text(encoding="utf-8")
    ground.run(PAST, entry)
    ground.tidy()
    return Garages(ground)


def token(direction: str, lot: int) -> str:
    """The token of a lot's entry or exit device; lots are numbered from 1."""
    return f"bench-{direction}-{lot}"


def _community(session: Session) -> None:
    people.create_person(session, "operator", secrets.token_hex(8), "operator")
    for number in range(1, LOTS + 1):
        name = f"L{number:02d}"
        lot = lots.add_lot(session, code=name, name=name, kind="car", takes_walk_ins=True)
        lots.add_spaces(session, lot, [f"{name}-{n:03d}" for n in range(1, SPACES + 1)])
        lots.add_tariff(session, lot, asdict(CAR_RULES), BEGINNING - timedelta(days=400))
        for direction in ("entry", "exit"):
            code = f"{direction}-{number}"
            lots.add_lane(session, lot, code=code, name=code, direction=direction)
            issued = registry.register(session, code=code, serial=code, kind="camera", lane=code)
            issued.device.token_digest = registry.digest(token(direction, number))
