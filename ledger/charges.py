"""Raising charges: one fee per source, corrected only by further charges that name it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg.types.json import Jsonb
from sqlalchemy import Select, select

from core import clock
from core.db import Statement
from ledger.source_models import Charge

FEE = """
INSERT INTO charge (kind, source, source_id, income, household_id, owner_household_id,
    amount_fen, corrects_id, occurred_at, recorded_at, lines, parts, company, lot)
VALUES (%(kind)s, %(source)s, %(source_id)s, %(income)s, %(household_id)s,
    %(owner_household_id)s, %(amount_fen)s, NULL, %(occurred_at)s, %(recorded_at)s, %(lines)s,
    %(parts)s::jsonb, %(company)s, %(lot)s)
"""

# Without a fee to correct, corrects_id is null and the table refuses the row.
CORRECTION = """
INSERT INTO charge (kind, source, source_id, income, household_id, owner_household_id,
    amount_fen, corrects_id, occurred_at, recorded_at, lines, parts, company, lot)
SELECT %(kind)s, %(source)s, %(source_id)s, coalesce(fee.income, %(income)s),
    fee.household_id, fee.owner_household_id, %(amount_fen)s,
    coalesce(%(corrects_id)s, fee.id), %(occurred_at)s, %(recorded_at)s, %(lines)s,
    %(parts)s::jsonb, fee.company, fee.lot
FROM (VALUES (1)) AS one
LEFT JOIN charge AS fee
    ON fee.kind = 'fee' AND fee.source = %(source)s AND fee.source_id = %(source_id)s
"""


@dataclass(frozen=True, slots=True)
class NewCharge:
    """A charge about to be raised.

    `kind` fee and supplement carry positive fen, credit negative. A correction inherits
    income, debtor, owner and lot from the fee of its (source, source_id), which it names in
    `corrects_id`; None lets the database look the fee up.

    `parts` says how the amount divides by income, as {"parking": 500, "overstay": 300}; None
    means all of it is `income`. Parts sum to the amount; one may have the other sign, where a
    cap moved money between incomes. A correction brings its own. TypeError for fen that are
    no int.

    `company` is the party code of a company that owes instead of a household. `lot` is the code
    of the lot whose place earned it; None for what no lot earned: parcels, deposits, site rent.
    """

    kind: Literal["fee", "supplement", "credit"]
    source: str
    source_id: int
    income: str
    household_id: int | None
    owner_household_id: int | None
    amount_fen: int
    occurred_at: datetime
    lines: Sequence[Mapping[str, Any]]
    corrects_id: int | None = None
    parts: Mapping[str, int] | None = None
    company: str | None = None
    lot: str | None = None

    def __post_init__(self) -> None:
        only_whole(self.amount_fen)
        for fen in (self.parts or {}).values():
            only_whole(fen)


def only_whole(amount_fen: int) -> None:
    """TypeError unless the amount is an int; PostgreSQL would round a float in silence."""
    if type(amount_fen) is not int:
        raise TypeError(f"fen are whole numbers, not {amount_fen!r}")


def raised(charge: NewCharge) -> Statement:
    """The statement that raises the charge; triggers bring its receivable up to date.

    The database refuses a second fee of one source, a correction without a fee, a credit of
    more than is still unpaid, parts that are empty or sum to another amount, and two debtors.
    """
    values = {name: getattr(charge, name) for name in NewCharge.__slots__}
    values |= {"recorded_at": clock.now(), "lines": Jsonb(list(charge.lines))}
    if charge.parts is not None:
        values["parts"] = Jsonb(dict(charge.parts))
    return (FEE if charge.kind == "fee" else CORRECTION), values


def charges(
    household_id: int | None = None, source: str | None = None, source_id: int | None = None
) -> Select[Charge]:
    """Charges, newest first, of one debtor or source if given."""
    query = select(Charge).order_by(Charge.id.desc())
    if household_id is not None:
        query = query.where(Charge.household_id == household_id)
    if source is not None:
        query = query.where(Charge.source == source)
    if source_id is not None:
        query = query.where(Charge.source_id == source_id)
    return query
