"""“Is my 8 yuan in there?”: a receipt's link, and a script of thirty lines that checks it."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.app import settings
from ledger import receipts
from ledger.payments import NewPayment
from tests.cast import NOON
from tests.ledger.till import fee
from tests.publication.bureau import DECEMBER, MONTH, Bureau, figures

SCRIPT = Path(__file__).parents[2] / "docs" / "check_receipt.py"


@pytest.fixture
def published(bureau: Bureau) -> dict[str, Any]:
    """The figures of the month after it was closed, some days after new entries came."""
    bureau.closes()
    bureau.books(fee(90, source="parcel", occurred_at=DECEMBER), at=DECEMBER)
    return figures(bureau.pack())


def link(bureau: Bureau, place: int = -1, name: str = "olga") -> str:
    """The path of a payment's receipt."""
    url: str = bureau.sees("payments", name)[place]["receipt_url"]
    assert url.startswith(settings().base_url)
    return url.partition("/api/v1/")[2]


def checked(tmp_path: Path, receipt: Any, published: Any) -> subprocess.CompletedProcess[str]:
    """What the script says, in a process without our code."""
    for name, said in (("receipt", receipt), ("figures", published)):
        (tmp_path / f"{name}.json").write_text(json.dumps(said), "utf-8")
    command = [sys.executable, "-I", str(SCRIPT), "receipt.json", "figures.json"]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)


def test_the_script_has_thirty_lines_and_nothing_of_ours() -> None:
    lines = [line for line in SCRIPT.read_text("utf-8").splitlines() if line.strip()]
    assert len(lines) <= 30
    imported = {line.split()[1] for line in lines if line.startswith(("import", "from"))}
    assert imported <= sys.stdlib_module_names


def test_every_payment_of_the_month_is_proved(
    bureau: Bureau, published: dict[str, Any], tmp_path: Path
) -> None:
    for place in range(7):
        receipt = bureau.sees(link(bureau, place))
        assert receipt["publication"]["month"] == MONTH
        assert all(proof["published"] for proof in receipt["proofs"])
        done = checked(tmp_path, receipt, published)
        assert (done.returncode, done.stderr) == (0, "")
        fen = receipt["charges"][0]["split"]["fund_fen"]
        said = f"{receipt['amount_fen']} fen paid; of all charged {fen} went to the fund"
        assert done.stdout.startswith(said)


def test_the_receipt_says_what_for_and_how_it_was_divided(
    bureau: Bureau, published: dict[str, Any]
) -> None:
    receipt = bureau.sees(link(bureau))
    [charge] = receipt["charges"]
    assert (receipt["amount_fen"], receipt["method_name"]) == (801, "现金收款")
    assert (charge["what"], charge["split"]) == (
        "停车费",
        {"fund_fen": 561, "provider_fen": 240, "owner_fen": 0},
    )
    assert charge["rules"][0]["decided_by"] == "test"
    assert {proof["book"] for proof in receipt["proofs"]} == {"owners", "fund", "provider"}


Path_ = tuple[Any, ...]
TAMPERED: dict[str, tuple[Path_, Any]] = {
    "the amount": (("amount_fen",), 80100),
    "the number": (("number",), 2),
    "the share": (("charges", 0, "split", "fund_fen"), 560),
    "a root": (("proofs", 0, "chained", "days", 0, "root"), "00" * 32),
    "a head before": (("proofs", 0, "chained", "previous"), "11" * 32),
    "a count": (("proofs", 3, "chained", "days", 0, "count"), 999),
    "a leaf": (("proofs", 3, "chained", "leaf"), "22" * 32),
    "a path": (("proofs", 3, "chained", "path", 0, "hash"), "33" * 32),
    "a book": (("proofs", 1, "book"), "owners"),
    "no fund": (("proofs", 1, "form"), None),
    "no payment": (("proofs", 3, "form"), None),
    "a claim": (("proofs", 0, "published"), False),
    "unsealed": (("proofs", 3, "chained"), None),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_the_script_refuses_what_was_tampered_with(
    bureau: Bureau, published: dict[str, Any], tmp_path: Path, what: str
) -> None:
    genuine = bureau.sees(link(bureau))
    assert checked(tmp_path, genuine, published).returncode == 0
    forged, (path, value) = copy.deepcopy(genuine), TAMPERED[what]
    at = forged
    for step in path[:-1]:
        at = at[step]
    assert at[path[-1]] != value
    at[path[-1]] = value
    done = checked(tmp_path, forged, published)
    assert done.returncode != 0, done.stdout
    assert "fen" not in done.stdout


def test_an_altered_entry_or_another_publication_is_refused(
    bureau: Bureau, published: dict[str, Any], tmp_path: Path
) -> None:
    forged = bureau.sees(link(bureau))
    for proof in forged["proofs"]:
        proof["form"] = proof["form"].replace("801", "802").replace("561", "562")
    forged["amount_fen"], forged["charges"][0]["split"]["fund_fen"] = 802, 562
    assert "altered" in checked(tmp_path, forged, published).stderr
    other = copy.deepcopy(published)
    for day in other["heads"]:
        day["head"] = "44" * 32
    receipt = bureau.sees(link(bureau))
    assert "below no published head" in checked(tmp_path, receipt, other).stderr


def test_somebody_elses_payment_of_the_same_amount_does_not_pass(
    bureau: Bureau, published: dict[str, Any], tmp_path: Path
) -> None:
    """One entry shown to everybody who paid as much."""
    mine, theirs = bureau.sees(link(bureau)), bureau.sees(link(bureau, -2))
    mine["proofs"], mine["amount_fen"] = theirs["proofs"], theirs["amount_fen"]
    assert "somebody else" in checked(tmp_path, mine, published).stderr


def test_before_it_is_published_there_is_a_proof_below_todays_head(bureau: Bureau) -> None:
    receipt = bureau.sees(link(bureau))
    assert receipt["publication"] is None
    assert not any(proof["published"] for proof in receipt["proofs"])
    heads = {h["book"]: h["head"] for h in bureau.sees("ledger/trial-balance", "ava")["heads"]}
    assert {p["book"]: p["chained"]["head"] for p in receipt["proofs"]} == heads


def test_heads_published_while_their_day_was_open_still_hold(
    bureau: Bureau, tmp_path: Path
) -> None:
    """Facts of November that were recorded on the day of the close, and more of them after it."""
    bureau.books(fee(90, source="parcel"), at=DECEMBER)
    bureau.closes()
    published = figures(bureau.pack())
    assert all(day["open"] for day in published["heads"])
    bureau.books(fee(91, source="parcel", occurred_at=DECEMBER), at=DECEMBER)
    for later in (DECEMBER, DECEMBER.replace(day=9)):
        bureau.seals(later)
        assert checked(tmp_path, bureau.sees(link(bureau)), published).returncode == 0


def test_nobody_else_is_on_the_receipt(bureau: Bureau) -> None:
    """Bo pays in the space of another owner, whose household stands in the same entry."""
    ana, bo = (bureau.community.households[name] for name in ("ana", "bo"))
    owed = fee(95, source="parcel", household_id=bo, owner_household_id=ana)
    paid = NewPayment("parcel", 95, "cash", 800, bo, NOON, _olga(bureau))
    bureau.books(owed, paid)
    receipt = bureau.sees(link(bureau, 0))
    said = json.dumps(receipt)
    assert f"household:{ana}" not in said
    hidden = [proof["source"] for proof in receipt["proofs"] if proof["form"] is None]
    assert hidden == ["charge"]
    assert receipt["charges"][0]["split"]["owner_fen"] == 560
    assert "川" not in said


def test_a_link_cannot_be_guessed(bureau: Bureau) -> None:
    genuine = link(bureau).removeprefix("receipts/")
    number, mac = genuine.split("-", 1)
    for forged in (
        f"{int(number) + 1}-{mac}",
        f"0{genuine}",
        genuine[:-1],
        f"{genuine}A",
        genuine.swapcase(),
        number,
        "1-" + "A" * 22,
        "99999999999999999999-" + "A" * 22,
        "%00",
        "' OR 1=1 --",
        "x" * 5000,
    ):
        assert bureau.get(f"receipts/{forged}").status_code in {400, 404}, forged
    assert receipts.payment_of("another secret", genuine) is None


def test_a_resident_gets_the_links_of_their_own_payments_only(bureau: Bureau) -> None:
    mine = [payment["receipt_url"] for payment in bureau.sees("payments", "ana")]
    everybodys = [payment["receipt_url"] for payment in bureau.sees("payments", "olga")]
    assert (len(mine), len(everybodys)) == (1, 7)
    assert set(mine) < set(everybodys)


def _olga(bureau: Bureau) -> int:
    return bureau.count("SELECT id FROM person WHERE username = 'olga'")
