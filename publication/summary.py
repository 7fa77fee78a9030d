"""A month's groups as a journal that a second engine adds up, with every balance asserted. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from publication.detail import Group
from publication.pack import told
from reports import beancount
from reports.plain_text import ChartLine, Journal, JournalLine, JournalRow


@dataclass(frozen=True, slots=True)
class Summary(JournalRow):
    """A group as an entry of its last day; it names nobody."""

    entries: int
    payers: str

    @property
    def tags(self) -> dict[str, str]:
        """How many entries and payers."""
        return {"entries": str(self.entries), "payers": self.payers}


def journal_text(
    month: tuple[date, date],
    chart: Sequence[ChartLine],
    balances: tuple[Mapping[str, int], Mapping[str, int]],
    groups: Sequence[Group],
    *,
    least: int,
    notes: Sequence[str],
) -> str:
    """The month from its opening to its closing balances, as Beancount reads it."""
    by_day = sorted(groups, key=lambda group: group.until)
    journal = Journal(
        since=month[0],
        until=month[1],
        chart=chart,
        opening=balances[0],
        closing=balances[1],
        entries=[_entry(place, group, least) for place, group in enumerate(by_day, start=1)],
        notes=notes,
    )
    return "".join(beancount.written(journal))


def _entry(place: int, group: Group, least: int) -> Summary:
    lines = (JournalLine(account, None, fen) for account, fen in sorted(group.amounts.items()))
    return Summary(
        id=place,
        book=group.book,
        posted_on=group.until,
        occurred_on=group.until,
        source="summary",
        purpose="publication",
        memo=f"汇总 {group.entries} 笔 {group.since} – {group.until}",
        reverses_id=None,
        leaf=b"",
        lines=tuple(line for line in lines if line.amount_fen),
        entries=group.entries,
        payers=told(group.payers, least),
    )
