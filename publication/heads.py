"""The heads that an edition fixed, in the JSON of its row and as days of the chain."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from ledger.seals import Day
from publication.models import Publication


def fixed_days(row: Publication) -> dict[str, list[Day]]:
    """The days of every book whose heads the edition fixed, in order."""
    found: dict[str, list[Day]] = {}
    for head in row.heads:
        found.setdefault(head["book"], []).append(_day(head))
    return found


def told(day: Day) -> dict[str, Any]:
    """A day of the chain in JSON."""
    return {
        "book": day.book,
        "day": day.day.isoformat(),
        "count": day.count,
        "open": day.open,
        **{name: getattr(day, name).hex() for name in ("root", "previous", "head")},
    }


def _day(head: Mapping[str, Any]) -> Day:
    return Day(
        book=head["book"],
        day=date.fromisoformat(head["day"]),
        count=head["count"],
        open=head["open"],
        **{name: bytes.fromhex(head[name]) for name in ("root", "previous", "head")},
    )
