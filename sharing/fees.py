"""What a booking costs that is not used: cancelling late, and not coming."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.db import Statement
from ledger.charges import NewCharge, raised

LATE_CANCEL, NO_SHOW = "late-cancel", "no-show"
LABELS = {LATE_CANCEL: "逾时取消预约", NO_SHOW: "预约未到"}


def base_fen(booking: Mapping[str, Any]) -> int:
    """The price these fees are reckoned from: shortening late does not lower it."""
    base: int | None = booking["shortened_from_fen"]
    return booking["total_fen"] if base is None else base


def charged(
    booking: Mapping[str, Any], why: str, fee_fen: int, now: datetime, zone: ZoneInfo
) -> Statement:
    """The charge, with its one line; of a private space it is its owner's income too.

    `booking` is a row with lot, space, terms_id and owner_household_id; `why` is one of ours.
    """
    line = {
        "label": f"{LABELS[why]} {booking['lot']} {booking['space']}",
        "from": booking["starts_at"].astimezone(zone).isoformat(),
        "to": booking["ends_at"].astimezone(zone).isoformat(),
        "units": 1,
        "unit_fen": fee_fen,
        "amount_fen": fee_fen,
        "rule": f"terms:{booking['terms_id'] or 'default'}/{why}",
    }
    return raised(
        NewCharge(
            kind="fee",
            source="booking",
            source_id=booking["id"],
            income="booking",
            household_id=booking["household_id"],
            owner_household_id=booking["owner_household_id"],
            amount_fen=fee_fen,
            occurred_at=now,
            lines=[line],
            lot=booking["lot"],
        )
    )
