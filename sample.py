"""The sample community of `make run`: people, garage, devices, prices. Secrets are random."""

import json
import secrets
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from flask.cli import with_appcontext
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import clock
from core.app import settings
from core.db import atomic
from couriers import companies, contracts, couriers, rates
from devices import registry
from ebikes import racks
from identity import people
from identity.models import Person
from ledger import split_rules
from lockers import cabinets, consent
from parcels.models import LockerPreference, LockerTerms
from parking import lots, rights, tags
from parking.models import Lot
from parking.plates import Plate
from parking.terms import Terms
from sharing import booking_terms, granting
from tariffs.rules import CapPer, Energy, Overstay, Rules

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)

CAR_RULES = Rules(
    free_minutes=30,
    free_deducted=False,
    first_minutes=60,
    first_fen=300,
    unit_minutes=30,
    unit_fen=100,
    cap_fen=1500,
    cap_per=CapPer.CALENDAR_DAY,
    leave_within_minutes=15,
    overstay=Overstay(percent=200, cap_fen=20000),
)
EBIKE_RULES = Rules(
    free_minutes=60,
    free_deducted=False,
    first_minutes=720,
    first_fen=50,
    unit_minutes=720,
    unit_fen=50,
    cap_fen=100,
    cap_per=CapPer.CALENDAR_DAY,
    leave_within_minutes=15,
    energy=Energy(electricity_fen_per_kwh=56, service_fen_per_kwh=40, longest_minutes=480),
)
BOOKING_TERMS = Terms(household_open=500, household_month_minutes=500 * 24 * 60)
"""Wide quotas: one resident of the sample plays many."""
GROUP = 20
"""E-bikes side by side: 濮阳 allows no more, 安徽 allows 25."""
CHARGING_GROUPS = 6
CARDS = {"resident": "5DC0917A"}
PHONES = {"resident": "13800001234", "owner": "13900005678"}
"""Parcels come for a phone; both residents have agreed to the locker."""
COMPANIES = {"yto": "圆通速递", "sf": "顺丰速运"}
COURIERS = {"P80417": "yto", "SF0021": "sf"}
DEPOSIT_FEN = {"S": 30, "M": 40, "L": 60}
PREPAID_FEN, CREDIT_FEN, RENT_FEN = 50_000, 100_000, 600_000
PRIVATE_SPACES = 20

# role in sample.json: (username, role, name, household, plate)
CAST: dict[str, tuple[str, str, str, str | None, Plate | None]] = {
    "resident": ("li.na", "resident", "李娜", "1-101", Plate("川A12345", "blue")),
    "owner": ("wang.qiang", "resident", "王强", "2-202", Plate("川A67890", "blue")),
    "operator": ("operator", "operator", "值班员", None, None),
    "finance": ("finance", "finance", "财务", None, None),
    "auditor": ("auditor", "auditor", "审计", None, None),
    "admin": ("admin", "admin", "管理员", None, None),
    "courier": ("p80417", "courier", "快递员", None, None),
}

# name in sample.json: (code, kind, lane, display)
DEVICES: dict[str, tuple[str, str, str | None, str]] = {
    "entry": ("b2-entry-camera", "camera", "b2-entry", "led-485"),
    "exit": ("b2-exit-camera", "camera", "b2-exit", "led-485"),
    "dock": ("eb-dock", "dock", None, "none"),
    "cabinet": ("cabinet-1", "cabinet", None, "none"),
}


@click.command("sample")
@with_appcontext
def command() -> None:
    """Fill in the sample community if it is not there, and write sample.json."""
    path = settings().home / "sample.json"
    known = _read(path)
    secret = atomic(fill, known)
    _write(path, {"base_url": settings().base_url, **secret})


def fill(session: Session, known: dict[str, Any] | None) -> dict[str, Any]:
    """The community's users and devices with their secrets.

    The first time everything is made. Later what `known` says is believed; when it is lost,
    new secrets are given.
    """
    if session.scalar(select(Lot.id).where(Lot.code == "B2")) is None:
        return _create(session)
    if known:
        return {"users": known["users"], "devices": known["devices"]}
    return _renew(session)


def _create(session: Session) -> dict[str, Any]:
    users = _people(session)
    _garages(session)
    _split_rules(session)
    shown = _devices(session)
    _lockers(session)
    return {"users": users, "devices": shown}


def _people(session: Session) -> dict[str, Any]:
    users = {}
    for part, (username, role, name, code, plate) in CAST.items():
        password = secrets.token_urlsafe(12)
        household = people.create_household(session, code) if code else None
        phone = PHONES.get(part)
        people.create_person(
            session, username, password, role, name=name, phone=phone, household=household
        )
        users[part] = {"username": username, "password": password}
        if phone:
            users[part]["phone"] = phone
        if household and plate:
            rights.register_vehicle(session, household.id, plate)
            users[part]["plate"] = plate.text
        card = tags.card(CARDS.get(part, ""))
        if household and card:
            racks.register_ebike(session, household.id, card)
            users[part]["tag"] = card.text
    return users


def _garages(session: Session) -> None:
    garage = lots.add_lot(session, code="B2", name="地下二层车库", kind="car", takes_walk_ins=True)
    rack = lots.add_lot(
        session, code="EB", name="电动自行车车棚", kind="ebike", takes_walk_ins=True
    )
    owner = people.household_by_code(session, "2-202")
    neighbours = people.create_household(session, "3-303", "邻里业主")
    codes = [f"B2-{n:03d}" for n in range(1, 321)]
    owners = dict.fromkeys(codes[:PRIVATE_SPACES], neighbours.id)
    if owner:
        owners["B2-001"] = owner.id
    lots.add_spaces(session, garage, codes, owners)
    racks.furnish(session, "B2", codes, {"compartment": "B2-1"})
    _spots(session, rack)
    lots.add_lane(session, garage, code="b2-entry", name="B2 入口", direction="entry")
    lots.add_lane(session, garage, code="b2-exit", name="B2 出口", direction="exit")
    lots.add_tariff(session, garage, asdict(CAR_RULES), BEGINNING)
    lots.add_tariff(session, rack, asdict(EBIKE_RULES), BEGINNING)
    for lot in (garage, rack):
        booking_terms.add_terms(session, lot, asdict(BOOKING_TERMS), BEGINNING)
    plate = CAST["owner"][4]
    if plate:
        granting.grant_permit(
            session,
            lot="B2",
            kind="resident",
            plates=[plate],
            starts_at=BEGINNING,
            ends_at=BEGINNING + timedelta(days=3650),
            space="B2-001",
        )


def _spots(session: Session, rack: Lot) -> None:
    """220 spots in groups of 20, apart from the cars; the first six groups charge."""
    codes = [f"EB-{n:03d}" for n in range(1, 221)]
    lots.add_spaces(session, rack, codes)
    for first in range(0, len(codes), GROUP):
        number = first // GROUP + 1
        name, charging = f"G{number:02d}", number <= CHARGING_GROUPS
        racks.add_group(session, rack.code, name, GROUP)
        made = {"group": name, "charging": charging}
        made["compartment"] = "EB-charging" if charging else "EB-parking"
        racks.furnish(session, rack.code, codes[first : first + GROUP], made)


def _split_rules(session: Session) -> None:
    voted = "样例：居民代表会议 2026-01-01"
    for income, ownership, micro_fund, company, owner in (
        ("parking", "community", 70, 30, 0),
        ("parking", "private", 20, 10, 70),
        ("ebike", "community", 70, 30, 0),
        ("overstay", "community", 70, 30, 0),
        ("overstay", "private", 20, 10, 70),
        ("booking", "community", 70, 30, 0),
        ("booking", "private", 20, 10, 70),
        ("electricity", "community", 100, 0, 0),  # the fund pays the electricity bill
        ("charging-service", "community", 70, 30, 0),
        ("locker", "community", 70, 30, 0),
        ("locker-deposit", "community", 70, 30, 0),
        ("site-rent", "community", 70, 30, 0),
        ("locker-commission", "community", 70, 30, 0),
    ):
        split_rules.add(
            session,
            income=income,
            ownership=ownership,
            shares={"micro_fund": micro_fund, "property": company, "owner": owner},
            valid_from=BEGINNING.date(),
            decided_by=voted,
        )


def _devices(session: Session) -> dict[str, Any]:
    shown = {}
    for part, (code, kind, lane, display) in DEVICES.items():
        serial = f"{secrets.token_hex(4)}-{secrets.token_hex(4)}"
        issued = registry.register(
            session, code=code, serial=serial, kind=kind, lane=lane, display=display
        )
        shown[part] = {"id": code, "token": issued.token, "serial": serial}
        if kind == "cabinet":
            cabinets.add_cabinet(
                session, issued.device, code=code, name="一号快递柜", compartments=_doors()
            )
    return shown


def _lockers(session: Session) -> None:
    """Who deposits, for whom, what it costs, and that both residents like the locker."""
    desk = session.scalars(select(Person).where(Person.username == "operator")).one()
    for code, name in COMPANIES.items():
        company = companies.create(session, code=code, name=name, credit_fen=CREDIT_FEN)
        companies.top_up(session, company, amount_fen=PREPAID_FEN, received_by=desk.id)
    for code, company_code in COURIERS.items():
        signs_in = {"username": code.lower()} if code.lower() == CAST["courier"][0] else {}
        couriers.register(session, {"code": code, "company": company_code, **signs_in})
    today = clock.now().astimezone(settings().zone).date()
    for size, fee_fen in DEPOSIT_FEN.items():
        rates.add(session, None, size=size, fee_fen=fee_fen, valid_from=today, today=today)
    contracts.add(
        session,
        company="sf",
        kind="rent",
        starts_on=today,
        annual_fen=RENT_FEN,
        decided_by="样例：场地协议 2026-01-01",
    )
    now = clock.now()
    session.add(LockerTerms(version=1, valid_from=BEGINNING, rules={}, recorded_at=now))
    for person in session.scalars(select(Person).where(Person.phone.in_(PHONES.values()))):
        session.add(LockerPreference(person_id=person.id, locker=consent.OK, recorded_at=now))


def _doors() -> list[dict[str, Any]]:
    """Six columns of eight doors: large ones in the two low rows, small ones on top."""
    sizes = "LLMMMSSS"
    return [
        {"number": column * len(sizes) + row, "size": size, "row": row}
        for column in range(6)
        for row, size in enumerate(sizes, start=1)
    ]


def _renew(session: Session) -> dict[str, Any]:
    users: dict[str, Any] = {}
    for part, (username, _, _, _, plate) in CAST.items():
        password = secrets.token_urlsafe(12)
        person_id = session.scalar(select(Person.id).where(Person.username == username))
        if person_id is not None:
            people.update_person(session, person_id, {"password": password})
        users[part] = {"username": username, "password": password}
        if plate:
            users[part]["plate"] = plate.text
        if part in CARDS:
            users[part]["tag"] = CARDS[part]
        if part in PHONES:
            users[part]["phone"] = PHONES[part]
    devices = {}
    for part, (code, *_) in DEVICES.items():
        issued = registry.rotate(session, code, clock.now())
        devices[part] = {"id": code, "token": issued.token, "serial": issued.device.serial}
    return {"users": users, "devices": devices}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) and {"users", "devices"} <= known.keys() else None


def _write(path: Path, content: dict[str, Any]) -> None:
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)
