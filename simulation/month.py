"""Finance's month: settled, reconciled, closed, published, corrected, exported, and checked."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from core.app import settings
from core.months import next_month
from ledger.accounts import CASH, OWNERS
from simulation import bill
from simulation.bill import Papers, Planted
from simulation.office import CHAIR, Office
from simulation.tenpay import Tenpay
from treasury.drafts import MONEY

ELDERLY = "510102"
DAY = timedelta(days=1)
FORMATS = {"csv": "csv", "xlsx": "xlsx", "beancount": "beancount", "hledger": "journal"}
CHECK = Path(__file__).parent.parent / "docs" / "check_receipt.py"
INVOICE = b"%PDF-1.4\n% an invoice for 30 dinners\n%%EOF\n"


@dataclass(slots=True)
class Figures:
    """What the month came to, and whatever is wrong with it."""

    balances: dict[str, int] = field(default_factory=dict)
    fund: Mapping[str, Any] = field(default_factory=dict)
    differences: list[Planted] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    pack_sha256: str = ""
    correction: Mapping[str, Any] = field(default_factory=dict)
    receipt: str = ""
    readers: list[str] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    checks: Mapping[str, Any] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Month:
    """The first day of a month that was lived, the office, and where papers go."""

    first: date
    office: Office
    tenpay: Tenpay
    out: Path
    found: Figures = field(default_factory=Figures)

    @property
    def name(self) -> str:
        """As 2026-10."""
        return f"{self.first:%Y-%m}"

    @property
    def next(self) -> date:
        """The first day of the month after it."""
        return next_month(self.first)

    def at(self, day: date, hour: int = 10) -> None:
        """Let the office's clock show an hour of a day."""
        self.office.now = datetime.combine(day, time(hour), settings().zone)


def finance(office: Office, tenpay: Tenpay, first: date, out: Path) -> Figures:
    """Do all that finance does about a month that the community lived; papers land in `out`."""
    month = Month(first, office, tenpay, out)
    out.mkdir(parents=True, exist_ok=True)
    month.office.open()
    receive_and_spend(month)
    reconcile(month)
    close_and_publish(month)
    correct(month)
    export(month)
    read_by_others(month)
    prove(month)
    return month.found


def receive_and_spend(month: Month) -> None:
    """A gift with a purpose, a business, a service; the fund's share; dinners for the elderly."""
    office = month.office
    month.at(month.next - DAY, 23)
    gift = {"kind": "donation", "payer": "爱心人士", "amount_fen": 500_000, "memo": "为老助餐"}
    gift |= {"restricted": True, "programme": ELDERLY, "voucher_kind": "donation-receipt"}
    office.do("fund-receipts", gift | {"method": "bank", "bank_reference": "GIFT1"})
    shop = {"kind": "business", "payer": "便民超市", "amount_fen": 200_000, "memo": "共建赞助"}
    office.do("fund-receipts", shop | {"method": "bank", "bank_reference": "SHOP1"})
    meal = {"kind": "service", "payer": "居民", "amount_fen": 1_200, "memo": "低偿理发"}
    meal |= {"in_return": "理发三人次", "voucher_kind": "invoice", "method": "cash"}
    office.do("fund-receipts", meal)
    office.do("fund-receipts", meal)  # written down twice: found after the month was published
    office.sweep()
    bring_to_the_bank(month)
    share = office.do("disbursements/shares", {"kind": "fund_share"})
    _pay(month, share["id"], "SHARE1")
    dinners = {"book": "fund", "programme": ELDERLY, "restricted": True, "amount_fen": 180_000}
    spent = office.do(
        "disbursements/expenses", dinners | {"payee": "社区食堂", "memo": "重阳节助餐"}
    )
    paper = {"filename": "发票.pdf", "media_type": "application/pdf"}
    content = {"content": b64encode(INVOICE).decode()}
    office.do(f"disbursements/{spent['id']}/evidence", paper | content)
    alone = office.refused(f"disbursements/{spent['id']}/approve", {})
    month.found.refusals.append(f"approve one's own expense: {alone['code']}")
    _pay(month, spent["id"], "DINNER1")
    office.sweep()


def bring_to_the_bank(month: Month) -> None:
    """All cash that the gate took; what is passed on goes from the bank."""
    counted_fen = _stands(month, month.office.now.date()).get(CASH, 0)
    if counted_fen > 0:
        cash = {"book": OWNERS, "amount_fen": counted_fen}
        _pay(month, month.office.do("disbursements/deposits", cash)["id"], "DEPOSIT1")
        month.office.sweep()


def reconcile(month: Month) -> None:
    """Lay the provider's bill and the bank's statement beside the books; explain what differs."""
    office = month.office
    month.at(month.next + DAY)
    papers = bill.of_month(month.tenpay, month.first)
    _import(month, papers)
    tasks = office.ask("reconciliation/tasks", status="open", page_size="100")
    found = {
        Planted(task["kind"], task["reference"], task["ours_fen"], task["theirs_fen"])
        for task in tasks
    }
    month.found.differences = sorted(found, key=lambda planted: planted.kind)
    if found != set(papers.planted):
        month.found.wrong.append(f"planted {papers.planted}, found {found}")
    office.sweep()
    said = office.refused(f"ledger/periods/{month.name}/close", {})
    month.found.refusals.append(f"close too early: {said['detail']}")
    for task in tasks:
        office.do(f"reconciliation/tasks/{task['id']}/resolve", {"reason": "已与支付平台核对"})


def close_and_publish(month: Month) -> None:
    """Two people close the month; its pack is made again, to the byte."""
    office = month.office
    month.at(month.next + 2 * DAY)
    office.sweep()
    office.do(f"ledger/periods/{month.name}/close", {"reason": "账单已核对"})
    alone = office.refused(f"ledger/periods/{month.name}/approve", {})
    month.found.refusals.append(f"close alone: {alone['code']}")
    office.do(f"ledger/periods/{month.name}/approve", {}, CHAIR)
    said = office.ask(f"publications/{month.name}")
    pack = office.fetch(f"publications/{month.name}/pack.zip")
    month.found.pack_sha256 = hashlib.sha256(pack).hexdigest()
    _write(month, "pack.zip", pack)
    with zipfile.ZipFile(io.BytesIO(pack)) as parts:
        _write(month, "figures.json", parts.read("figures.json"))
        _write(month, "index.html", parts.read("index.html"))
    if said["sha256"] != month.found.pack_sha256:
        month.found.wrong.append("the pack is not what was published")


def correct(month: Month) -> None:
    """What was written down twice is taken back; the note drafts itself, the chair publishes it."""
    office = month.office
    month.at(month.next + 4 * DAY)
    twice = office.ask("ledger/entries", source="fund_receipt", page_size="100")[-1]
    office.do(f"ledger/entries/{twice['id']}/reverse", {"reason": "低偿理发重复登记"})
    [draft] = office.ask("ledger/corrections", status="draft")
    office.do(f"ledger/corrections/{draft['id']}/publish", {}, CHAIR)
    office.sweep()
    [note] = office.ask(f"publications/{month.name}")["corrections"]
    month.found.correction = note
    again = office.fetch(f"publications/{month.name}/pack.zip")
    if hashlib.sha256(again).hexdigest() != month.found.pack_sha256:
        month.found.wrong.append("the pack changed after the correction")


def export(month: Month) -> None:
    """The books to take away, in every form; two other programs read them and find our balances."""
    office = month.office
    until = month.next + 4 * DAY
    as_of = until.isoformat()
    trial = office.ask("ledger/trial-balance", as_of=as_of)
    month.found.balances = {
        f"{row['account']} {row['name']}": row["debit_fen"] - row["credit_fen"]
        for row in trial["rows"]
        if row["debit_fen"] != row["credit_fen"]
    }
    for day in (month.next - DAY, until):
        standing = _stands(month, day)
        month.found.wrong += [
            f"account {account} is at {standing[account]} fen on {day}"
            for account in MONEY.values()
            if standing.get(account, 0) < 0
        ]
    if trial["total_debit_fen"] != trial["total_credit_fen"]:
        month.found.wrong.append("the trial balance does not balance")
    for form, ending in FORMATS.items():
        period = {"from": "2026-01-01", "to": as_of, "format": form}
        _write(month, f"books.{ending}", office.fetch("ledger/export", **period))
    month.found.fund = office.ask("fund")


def read_by_others(month: Month) -> None:
    """Let Beancount and hledger, where they are installed, check every balance in the exports."""
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    for command in (("bean-check", "books.beancount"), ("hledger", "-f", "books.journal", "check")):
        program = shutil.which(command[0], path=beside)
        if program is None:
            month.found.readers.append(f"{command[0]} is not installed")
            continue
        told = _run([program, *command[1:]], month.out)
        month.found.readers.append(
            f"{command[0]}: {told.stderr.strip() or 'nothing to complain of'}"
        )
        if told.returncode:
            month.found.wrong.append(f"{command[0]}: {told.stderr}")


def prove(month: Month) -> None:
    """The whole proof, and a receipt checked by the script that anybody may run."""
    month.found.checks = month.office.ask("ledger/verify")["checks"]
    month.found.wrong += [
        f"{name}: {check['detail']}"
        for name, check in month.found.checks.items()
        if not check["ok"]
    ]
    paid = month.office.ask("payments", page_size="100")
    url = next(p["receipt_url"] for p in paid if p["method"] == "wechat" and _of(month, p))
    receipt = month.office.ask(url.split("/api/v1/")[1])
    _write(month, "receipt.json", json.dumps(receipt, ensure_ascii=False).encode())
    told = _run([sys.executable, "-I", str(CHECK), "receipt.json", "figures.json"], month.out)
    month.found.receipt = (told.stdout or told.stderr).strip()
    if told.returncode:
        month.found.wrong.append(f"receipt: {month.found.receipt}")


def _stands(month: Month, day: date) -> dict[str, int]:
    """What stands in each account at the end of a day."""
    trial = month.office.ask("ledger/trial-balance", as_of=day.isoformat())
    return {row["account"]: row["debit_fen"] - row["credit_fen"] for row in trial["rows"]}


def _run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - programs of our choice
        command, cwd=folder, capture_output=True, text=True, check=False
    )


def _of(month: Month, payment: Mapping[str, Any]) -> bool:
    return str(payment["occurred_at"]).startswith(month.name)


def _pay(month: Month, disbursement: int, reference: str) -> None:
    month.office.do(f"disbursements/{disbursement}/approve", {}, CHAIR)
    month.office.do(f"disbursements/{disbursement}/pay", {"bank_reference": reference})


def _import(month: Month, papers: Papers) -> None:
    days = {"from": month.first.isoformat(), "to": (month.next - DAY).isoformat()}
    for kind, text in (("wechat", papers.wechat), ("bank", papers.bank)):
        _write(month, f"{kind}-bill.csv", text.encode())
        file = {"kind": kind, "filename": f"{kind}.csv", "content": text}
        month.office.do("reconciliation/imports", file | (days if kind == "wechat" else {}))
        again = month.office.do("reconciliation/imports", file)
        if again["new_lines"]:
            month.found.wrong.append(f"the {kind} bill brought something new the second time")


def _write(month: Month, name: str, content: bytes) -> None:
    (month.out / name).write_bytes(content)
    month.found.files[name] = len(content)
