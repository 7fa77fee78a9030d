"""Source rows of money at a provider, and how settlement finds them."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from channels.drafts import of_move
from channels.models import ChannelMove
from core import clock
from ledger import settlement
from ledger.journal import Entry

WAITING = """
SELECT id, kind, channel, reference, amount_fen, household_id, occurred_at FROM channel_move
WHERE settled_at IS NULL AND set_aside_reason IS NULL
ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
"""


def let_settlement_know() -> None:
    """Make settlement post these rows too; whoever starts a process that settles calls it."""
    settlement.FURTHER[ChannelMove.__tablename__] = (WAITING, _draft)


def note(
    session: Session,
    kind: str,
    channel: str,
    reference: str,
    amount_fen: int,
    occurred_at: datetime,
    household_id: int | None = None,
) -> bool:
    """Record a move once, whole fen; False when its cause was recorded before."""
    wanted = insert(ChannelMove).values(
        kind=kind,
        channel=channel,
        reference=reference,
        amount_fen=amount_fen,
        household_id=household_id,
        occurred_at=occurred_at,
        recorded_at=clock.now(),
    )
    once = wanted.on_conflict_do_nothing(index_elements=["kind", "channel", "reference"])
    return session.execute(once.returning(ChannelMove.id)).first() is not None


def _draft(row: Mapping[str, Any], on: date) -> tuple[Entry, ...]:
    entry = of_move(
        row["id"],
        row["kind"],
        row["channel"],
        row["amount_fen"],
        on,
        household_id=row["household_id"],
        reference=row["reference"],
    )
    return (entry,)
