"""试算平衡表: every account's balance at the end of a day, as known now or at an instant."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from reports import links
from reports.balances import ALL, Known, balances, chart
from reports.report import Report, stamp


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """One account's balance, on the side it falls on."""

    book: str
    account: str
    name: str
    name_en: str
    type: str
    debit_fen: int
    credit_fen: int
    entries: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBalance(Report):
    """The balances; both totals are equal."""

    rows: list[AccountBalance]

    @property
    def total_debit_fen(self) -> int:
        """The sum of the debit balances."""
        return sum(row.debit_fen for row in self.rows)

    @property
    def total_credit_fen(self) -> int:
        """The sum of the credit balances."""
        return sum(row.credit_fen for row in self.rows)


def trial_balance(
    session: Session, as_of: date, book: str | None = None, known: Known = ALL
) -> TrialBalance:
    """The accounts in use or ever used, and what is still to be settled by `as_of`."""
    net = balances(session, as_of, book, known)
    rows = [
        AccountBalance(
            row["book"],
            row["code"],
            row["name_zh"],
            row["name_en"],
            row["type"],
            debit_fen=max(net.get(row["code"], 0), 0),
            credit_fen=max(-net.get(row["code"], 0), 0),
            entries=links.entries(row["code"], None, as_of, known.at),
        )
        for row in chart(session, book)
        if row["active"] or row["code"] in net
    ]
    return TrialBalance(**stamp(session, as_of, book, known), rows=rows)
