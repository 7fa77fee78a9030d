"""现金流量表, by the direct method: what came in and went out, by the account it came from.

Cash is what is in hand, in a bank, or with a provider on its way there. An entry that moves it
says by its other postings what for; what moves between two of these accounts is no flow.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from psycopg.rows import DictRow
from sqlalchemy.orm import Session

from ledger.posting import rows
from reports import links
from reports.balances import ALL, KNOWN, Known, balances, chart
from reports.report import Report, stamp

CASH = "10"
"""How the codes of 货币资金 begin: 1001 库存现金, 1002 银行存款, 1012 其他货币资金 and theirs."""

FLOWS = f"""
WITH moved AS (
    SELECT DISTINCT posting.entry_id FROM posting JOIN journal_entry AS e ON e.id = entry_id
    WHERE posting.account = ANY(%(cash)s) AND posting.posted_on BETWEEN %(since)s AND %(until)s
        AND {KNOWN}
), flow AS (
    SELECT entry_id, account, -sum(amount_fen) AS fen
    FROM posting JOIN moved USING (entry_id)
    WHERE account <> ALL(%(cash)s) GROUP BY entry_id, account
)
SELECT account, sum(greatest(fen, 0))::bigint AS inflow_fen,
    sum(greatest(-fen, 0))::bigint AS outflow_fen
FROM flow GROUP BY account ORDER BY account
"""  # noqa: S608 - of our own words


@dataclass(frozen=True, slots=True)
class Flow:
    """What an account brought in and took out."""

    book: str
    account: str
    name: str
    name_en: str
    inflow_fen: int
    outflow_fen: int
    entries: str

    @property
    def net_fen(self) -> int:
        """Inflow less outflow."""
        return self.inflow_fen - self.outflow_fen


@dataclass(frozen=True, slots=True)
class CashBalance:
    """A cash account as the period began and ended, by the rollups."""

    book: str
    account: str
    name: str
    opening_fen: int
    closing_fen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CashFlow(Report):
    """The flows of a period, and the cash before and after it."""

    since: date
    until: date
    rows: list[Flow]
    cash: list[CashBalance]

    @property
    def opening_fen(self) -> int:
        """All cash as the period began."""
        return sum(row.opening_fen for row in self.cash)

    @property
    def closing_fen(self) -> int:
        """All cash as it ended."""
        return sum(row.closing_fen for row in self.cash)

    @property
    def net_fen(self) -> int:
        """What the flows sum to."""
        return sum(row.net_fen for row in self.rows)

    @property
    def explained(self) -> bool:
        """Whether the flows explain how cash changed; anything else is a broken book."""
        return self.opening_fen + self.net_fen == self.closing_fen


def cash_flow(
    session: Session, since: date, until: date, book: str | None = None, known: Known = ALL
) -> CashFlow:
    """What came in and went out from `since` to `until`, both included, by posting date."""
    lines = {line["code"]: line for line in chart(session, book)}
    cash = [code for code, line in lines.items() if _is_cash(line)]
    values = {"cash": cash, "since": since, "until": until, **known.values}
    opening = balances(session, since - timedelta(days=1), book, known)
    closing = balances(session, until, book, known)
    return CashFlow(
        **stamp(session, until, book, known),
        since=since,
        until=until,
        rows=[
            _flow(
                row,
                lines[row["account"]],
                links.entries(row["account"], since, until, known.at, CASH),
            )
            for row in rows(session, FLOWS, **values)
        ],
        cash=[
            CashBalance(
                lines[code]["book"],
                code,
                lines[code]["name_zh"],
                opening.get(code, 0),
                closing.get(code, 0),
            )
            for code in cash
            if code in closing
        ],
    )


def _is_cash(line: DictRow) -> bool:
    return line["type"] == "asset" and str(line["code"]).startswith(CASH)


def _flow(row: DictRow, line: DictRow, entries: str) -> Flow:
    names = line["book"], line["code"], line["name_zh"], line["name_en"]
    return Flow(*names, row["inflow_fen"], row["outflow_fen"], entries)
