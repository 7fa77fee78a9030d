"""What logs must never say: plates, phones, passwords, tokens."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.logs import mask
from parking.plates import PROVINCES

PLATES = ["川A12345", "沪AD61827", "沪A12345D", "川A1234挂", "粤Z1234港", "川A123应急", "沪A1234领"]
PHONE = "13812346620"
TOKEN = "kvYATiCyVOLy8mHVtmnfXwMLHalVLUEl7l7WdzWahko"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLXdpdGgtZGFzaGVz_-"


@pytest.mark.parametrize("plate", PLATES)
def test_a_plate_loses_its_middle(plate: str) -> None:
    for around in ("{}", "plate={} gone", '{{"plate": "{}"}}', "Key (plate)=({}) exists", "{}{}"):
        assert plate not in mask(around.format(plate, plate))


@given(
    st.sampled_from(PROVINCES),
    st.text("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", min_size=5, max_size=6),
)
def test_no_ordinary_plate_survives(province: str, body: str) -> None:
    plate = f"{province}A{body}"
    assert plate not in mask(f"seen {plate} at the gate")


@given(st.from_regex(r"1[3-9]\d{9}", fullmatch=True))
def test_no_phone_survives(phone: str) -> None:
    said = mask(f"call {phone}, please")
    assert phone not in said
    assert said.endswith(", please")


def test_a_number_that_is_no_phone_stays() -> None:
    assert mask("stay 138123466201 at 1795392942") == "stay 138123466201 at 1795392942"


@pytest.mark.parametrize(
    "said",
    [
        f"Bearer {TOKEN}",
        f"bearer  {JWT}",
        f"POST /d/{TOKEN}/devicemanagement/php/gio.php",
        f"/d/{JWT}",
    ],
)
def test_a_credential_disappears_whole(said: str) -> None:
    masked = mask(said)
    assert not any(part in masked for part in (TOKEN, JWT, TOKEN[:8], JWT[-8:]))


def logged(code: str) -> list[dict[str, object]]:
    """What a process that logs so writes to standard error, line by line."""
    code = (
        f"import logging, structlog\nfrom core.logs import start_logging\nstart_logging()\n{code}"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in said.stderr.splitlines()]


def test_both_loggers_mask_values_exceptions_and_nested_secrets() -> None:
    code = f"""
log, old = structlog.get_logger(), logging.getLogger("old")
log.info("came", plate="川A12345", password="hunter2", deep=[{{"pass_wd": "admin1"}}])
log.info("said", said={{"authorization": "Bearer {TOKEN}", "list": [{{"token": "{TOKEN}"}}]}})
old.warning("GET /d/%s/x by %s", "{TOKEN}", "{PHONE}")
try:
    raise ValueError("no 川A12345 here, Bearer {TOKEN}")
except ValueError:
    log.exception("failed")
    old.exception("failed for 沪AD61827")
"""
    lines = logged(code)
    assert [line["level"] for line in lines] == ["info", "info", "warning", "error", "error"]
    everything = json.dumps(lines, ensure_ascii=False)
    for secret in ("川A12345", "沪AD61827", PHONE, "hunter2", "admin1", TOKEN):
        assert secret not in everything
    assert "ValueError" in str(lines[3])
    assert "ValueError" in str(lines[4])
    assert all("timestamp" in line for line in lines)
