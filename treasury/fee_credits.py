"""减免: fees made smaller, each with its reason and who decided it."""

from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Problem, not_found
from ledger.charges import NewCharge, raised
from ledger.posting import rows
from ledger.source_models import Charge, Receivable
from treasury.crediting import divided
from treasury.models import Credit

CHARGED = """
SELECT part.income, sum(part.fen)::bigint AS fen
FROM charge AS c, LATERAL (
    SELECT c.income, c.amount_fen AS fen WHERE c.parts IS NULL
    UNION ALL
    SELECT key, value::bigint FROM jsonb_each_text(c.parts)
) AS part
WHERE c.source = %(source)s AND c.source_id = %(source_id)s
GROUP BY part.income
"""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a credit is raised, by whom, and the row that it belongs to, if there is one."""

    reason: str
    raised_by: int | None
    fee_refund_id: int | None = None
    write_off_id: int | None = None


def credit_unpaid(
    session: Session, *, charge_id: int, amount_fen: int | None, cause: Cause
) -> Charge:
    """Take back what is unpaid of a fee, or so much of it.

    Problem 404 without the charge, 409 `nothing-due` or `more-than-due`.
    """
    owed = receivable_of(session, charge_id)
    due_fen = owed.charged_fen - owed.paid_fen
    wanted_fen = due_fen if amount_fen is None else amount_fen
    if not due_fen:
        raise Problem(409, "nothing-due", "Nothing is due; what was paid can be refunded.")
    if wanted_fen > due_fen:
        raise Problem(409, "more-than-due", "Less than that is unpaid.", due_fen=due_fen)
    return raise_credit(session, owed, wanted_fen, cause)


def raise_credit(session: Session, owed: Receivable, amount_fen: int, cause: Cause) -> Charge:
    """Raise the credit charge of so much, in the fee's own incomes; `owed` is locked."""
    about = {"source": owed.source, "source_id": owed.source_id}
    charged = {row["income"]: row["fen"] for row in rows(session, CHARGED, **about)}
    parts = divided(charged, amount_fen)
    line = {"label": cause.reason, "units": 1, "unit_fen": -amount_fen, "amount_fen": -amount_fen}
    wanted = NewCharge(
        kind="credit",
        source=owed.source,
        source_id=owed.source_id,
        income=next(iter(parts)),
        household_id=owed.household_id,
        owner_household_id=None,
        amount_fen=-amount_fen,
        occurred_at=clock.now(),
        lines=[line | {"rule": "credit"}],
        parts=parts,
    )
    sql, values = raised(wanted)
    (row,) = rows(session, sql + " RETURNING id", **values)
    session.add(Credit(charge_id=row["id"], **{n: getattr(cause, n) for n in Cause.__slots__}))
    session.flush()
    return session.get_one(Charge, row["id"])


def receivable_of(session: Session, charge_id: int) -> Receivable:
    """What was charged for the same as this charge, locked; Problem 404."""
    charge = session.get(Charge, charge_id)
    if charge is None:
        raise not_found("charge")
    owed = session.get(
        Receivable,
        (charge.source, charge.source_id),
        with_for_update=True,
        populate_existing=True,
    )
    if owed is None:
        raise not_found("charge")
    return owed


def raised_credits() -> Select[Credit, Charge]:
    """Credits with the charges that they are, the newest first."""
    with_charge = select(Credit, Charge).join(Charge, Charge.id == Credit.charge_id)
    return with_charge.order_by(Credit.charge_id.desc())
