"""Site contracts: what companies pay for having lockers or deposits here, accrued by month."""

from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb
from sqlalchemy import Select, column, func, select, table
from sqlalchemy.orm import Session

from core import clock
from core.app import settings
from core.db import driver, send
from core.errors import Problem, invalid, not_found
from core.money import yuan
from couriers import accrual, companies, deposits
from couriers.models import COMMISSION, RENT, Accrual, CourierCompany, SiteContract
from ledger.charges import NewCharge, raised
from ledger.posting import rows

SOURCE = "accrual"
INCOMES = {RENT: "site-rent", COMMISSION: "locker-commission"}
CABINET = table("cabinet", column("id"), column("code"))

# Whoever accrues the same month at the same time waits here, and then gets no row.
ACCRUE = """
INSERT INTO accrual (contract_id, month, amount_fen, lines, recorded_at)
VALUES (%(contract)s, %(month)s, %(amount)s, %(lines)s, %(now)s)
ON CONFLICT (contract_id, month) DO NOTHING RETURNING id
"""


def add(
    session: Session,
    *,
    company: str,
    kind: str,
    starts_on: date,
    decided_by: str,
    cabinet: str | None = None,
    ends_on: date | None = None,
    annual_fen: int | None = None,
    per_deposit_fen: int | None = None,
    share_bp: int | None = None,
) -> SiteContract:
    """A new contract with a company, about one cabinet or about all of its deposits (by codes).

    Rent has `annual_fen`, commission fen per deposit, a share of the deposit fees in 1/10000,
    or both. It is never changed, only ended. Problem 404 for no such company, 422 for no such
    cabinet.
    """
    contract = SiteContract(
        company=companies.by_code(session, company),
        kind=kind,
        cabinet_id=_cabinet(session, cabinet),
        annual_fen=annual_fen,
        per_deposit_fen=per_deposit_fen,
        share_bp=share_bp,
        starts_on=starts_on,
        ends_on=ends_on,
        decided_by=decided_by,
        recorded_at=clock.now(),
    )
    session.add(contract)
    session.flush()
    return contract


def end(session: Session, contract_id: int, ends_on: date) -> SiteContract:
    """Say which day is the contract's last.

    Problem 404; 422 for a day before its first; 409 `already-accrued` where that would change
    what was accrued: what was charged is corrected by a credit.
    """
    contract = session.get(SiteContract, contract_id, with_for_update=True)
    if contract is None:
        raise not_found("contract")
    if ends_on < contract.starts_on:
        raise invalid("ends_on", "must not lie before the first day")
    month = session.scalar(
        select(func.max(Accrual.month)).where(Accrual.contract_id == contract_id)
    )
    if month and _covered(contract, contract.ends_on, month) != _covered(contract, ends_on, month):
        raise Problem(409, "already-accrued", f"{month:%Y-%m} was accrued already.")
    contract.ends_on = ends_on
    session.flush()
    return contract


def contracts(
    *, company: str | None = None, contract_id: int | None = None
) -> Select[*tuple[Any, ...]]:
    """Contracts with the codes of their companies and cabinets, newest first.

    Those of one company, or one alone, if given.
    """
    shown = [c for c in SiteContract.__table__.c if c.name not in {"company_id", "cabinet_id"}]
    query = (
        select(*shown, CourierCompany.code.label("company"), CABINET.c.code.label("cabinet"))
        .join(CourierCompany, CourierCompany.id == SiteContract.company_id)
        .outerjoin(CABINET, CABINET.c.id == SiteContract.cabinet_id)
        .order_by(SiteContract.id.desc())
    )
    if company is not None:
        query = query.where(CourierCompany.code == company)
    return query if contract_id is None else query.where(SiteContract.id == contract_id)


def accruals(session: Session, contract_id: int) -> Select[Accrual]:
    """What a contract earned by month, newest first. Problem 404."""
    if session.get(SiteContract, contract_id) is None:
        raise not_found("contract")
    query = select(Accrual).where(Accrual.contract_id == contract_id)
    return query.order_by(Accrual.month.desc())


def accrue_due(session: Session, today: date) -> int:
    """Accrue and charge every finished month of every contract that was not yet; how many.

    A month that was lost is made good by the next run. Two at once do no harm.
    """
    zone, done = settings().zone, 0
    running = select(SiteContract).where(SiteContract.starts_on < today.replace(day=1))
    by_company = running.order_by(SiteContract.company_id, SiteContract.id)
    for contract in session.scalars(by_company.with_for_update(read=True)).all():
        accrued = set(
            session.scalars(select(Accrual.month).where(Accrual.contract_id == contract.id))
        )
        months = accrual.finished_months(contract.starts_on, contract.ends_on, today)
        done += sum([_accrue(session, contract, m, zone) for m in months if m not in accrued])
    return done


def _accrue(session: Session, contract: SiteContract, month: date, zone: ZoneInfo) -> bool:
    """Accrue a month of a contract, and charge it if it earned something; False if it was."""
    lines = _lines(session, contract, month, zone)
    amount = sum(line["amount_fen"] for line in lines)
    values = {
        "contract": contract.id,
        "month": month,
        "amount": amount,
        "lines": Jsonb(lines),
        "now": clock.now(),
    }
    added = rows(session, ACCRUE, **values)
    if added and amount:
        charge = NewCharge(
            kind="fee",
            source=SOURCE,
            source_id=added[0]["id"],
            income=INCOMES[contract.kind],
            household_id=None,
            owner_household_id=None,
            amount_fen=amount,
            occurred_at=_end(contract, month, zone),
            lines=lines,
            company=contract.company.party,
        )
        send(driver(session), [raised(charge)])
    return bool(added)


def _lines(
    session: Session, contract: SiteContract, month: date, zone: ZoneInfo
) -> list[dict[str, Any]]:
    """What a month's amount consists of; its units times their price, where that is whole fen."""
    if contract.kind == RENT:
        rent = accrual.rent_fen(
            contract.annual_fen or 0, contract.starts_on, contract.ends_on, month
        )
        return [_line(contract, month, f"场地租金 {month:%Y-%m}", 1, rent, rent)]
    days = _covered(contract, contract.ends_on, month)
    left, fees_fen = deposits.counted(session, contract.company, *days, zone, contract.cabinet_id)
    lines = []
    if contract.per_deposit_fen is not None:
        each = contract.per_deposit_fen
        fen = accrual.commission_fen(left, 0, each, None)
        lines.append(_line(contract, month, f"投柜分成 {left} 件", left, each, fen))
    if contract.share_bp is not None:
        fen = accrual.commission_fen(0, fees_fen, None, contract.share_bp)
        label = f"投柜费分成 {yuan(fees_fen)} 元的 {contract.share_bp / 100:g}%"
        lines.append(_line(contract, month, label, 1, fen, fen))
    return lines


def _line(
    contract: SiteContract, month: date, label: str, units: int, unit_fen: int, amount_fen: int
) -> dict[str, Any]:
    first, last = _covered(contract, contract.ends_on, month)
    return {
        "label": label,
        "from": first.isoformat(),
        "to": last.isoformat(),
        "units": units,
        "unit_fen": unit_fen,
        "amount_fen": amount_fen,
        "rule": f"contract:{contract.id}/{contract.kind}",
    }


def _end(contract: SiteContract, month: date, zone: ZoneInfo) -> datetime:
    """The last instant of a contract in a month: what it earned is income of that month."""
    return datetime.combine(_covered(contract, contract.ends_on, month)[1], time.max, zone)


def _covered(contract: SiteContract, ends_on: date | None, month: date) -> tuple[date, date]:
    return accrual.covered(contract.starts_on, ends_on, month)


def _cabinet(session: Session, code: str | None) -> int | None:
    """The id of a cabinet; `lockers` has the table, and builds on this package."""
    if code is None:
        return None
    cabinet_id: int | None = session.scalar(select(CABINET.c.id).where(CABINET.c.code == code))
    if cabinet_id is None:
        raise invalid("cabinet", "there is no such cabinet")
    return cabinet_id
