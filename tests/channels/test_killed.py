"""Real processes, killed with -9 while the provider has already done it and not yet answered."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from channels.sweeps import place_orders, send_refunds
from core import clock
from core.app import settings
from core.config import SettingsError, WeChatPay, settings_from_env
from simulation.tenpay import APIV3_KEY, APPID, KEY_ID, MCHID, MERCHANT, PLATFORM
from simulation.tenpay import private_pem as private
from simulation.tenpay import public_pem as public
from tests.cast import NOON
from tests.channels.counter import Counter
from tests.ledger.till import ask
from tests.test_house import ROOT

LEASE = timedelta(seconds=60)

WORKER = """
import sys
from datetime import datetime
from channels import sweeps
from core import clock
from core.app import new_app
from core.config import settings_from_env
with new_app(settings_from_env()).app_context(), clock.at(datetime.fromisoformat(sys.argv[2])):
    getattr(sweeps, sys.argv[1])()
"""


@pytest.fixture
def environment(counter: Counter, tmp_path: Path) -> dict[str, str]:
    """What the merchant's server has in its environment."""
    (tmp_path / "apiclient_key.pem").write_text(private(MERCHANT))
    (tmp_path / "pub_key.pem").write_text(public(PLATFORM))
    ours = settings()
    return {
        "DATABASE_URL": ours.database_url,
        "REDIS_URL": ours.redis_url,
        "HUILIN_SECRET_KEY": ours.secret_key,
        "HUILIN_BASE_URL": ours.base_url,
        "WECHAT_MCHID": MCHID,
        "WECHAT_APPID": APPID,
        "WECHAT_CERT_SERIAL": "444F4864EA9B34415",
        "WECHAT_APIV3_KEY": APIV3_KEY,
        "WECHAT_PRIVATE_KEY_PATH": str(tmp_path / "apiclient_key.pem"),
        "WECHAT_PUBLIC_KEY_PATH": str(tmp_path / "pub_key.pem"),
        "WECHAT_PUBLIC_KEY_ID": KEY_ID,
        "WECHAT_API_URL": counter.tenpay.url,
    }


@contextmanager
def killed_in(counter: Counter, environment: dict[str, str], sweep: str) -> Iterator[None]:
    """A worker that dies inside its call; the block runs while it lies there."""
    tenpay = counter.tenpay
    tenpay.reached.clear()
    tenpay.go_on.clear()
    tenpay.fail_next.append("silence")
    command = [sys.executable, "-c", WORKER, sweep, NOON.isoformat()]
    worker = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment)
    try:
        assert tenpay.reached.wait(30)
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        yield
    finally:
        tenpay.go_on.set()
        worker.kill()
        worker.wait()


def test_an_order_survives_its_worker(counter: Counter, environment: dict[str, str]) -> None:
    number = counter.orders(charge_id=counter.owes(1))
    with killed_in(counter, environment, "place_orders"):
        assert list(counter.tenpay.orders) == [number]
        with clock.at(NOON):
            assert place_orders() == 0
    with clock.at(NOON + LEASE):
        assert place_orders() == 1
    counter.told(counter.tenpay.pays(number))
    assert counter.payments() == [("wechat", 800)]


def test_a_refund_survives_its_worker(counter: Counter, environment: dict[str, str]) -> None:
    charge = counter.owes(1)
    number = counter.orders(charge_id=charge)
    with clock.at(NOON):
        place_orders()
    counter.post("payments", {"charge_id": charge, "method": "cash"}, "olga", NOON)
    counter.told(counter.tenpay.pays(number))
    counter.tenpay.refund_status = "SUCCESS"
    with killed_in(counter, environment, "send_refunds"):
        assert list(counter.tenpay.refunds) == [f"r{number}"]
    with clock.at(NOON + LEASE):
        assert send_refunds() == 1
        assert send_refunds() == 0
    assert len(counter.tenpay.refunds) == 1
    assert ask(counter.session, "SELECT kind FROM channel_move ORDER BY id") == [
        ("surplus",),
        ("refund",),
    ]
    assert "101201" not in counter.balances()


def test_what_the_environment_has_to_say(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = settings_from_env().wechat
    assert isinstance(found, WeChatPay)
    assert (found.mchid, found.api_url) == (MCHID, environment["WECHAT_API_URL"])
    for name, value, says in (
        ("WECHAT_APIV3_KEY", "short", "32 bytes"),
        ("WECHAT_PRIVATE_KEY_PATH", "nowhere.pem", "WECHAT_PRIVATE_KEY_PATH"),
    ):
        with monkeypatch.context() as changed:
            changed.setenv(name, value)
            with pytest.raises(SettingsError, match=says):
                settings_from_env()
    monkeypatch.delenv("WECHAT_APPID")
    with pytest.raises(SettingsError, match="WECHAT_APPID"):
        settings_from_env()
    monkeypatch.delenv("WECHAT_MCHID")
    assert settings_from_env().wechat is None
