"""What the environment may say, and what follows from it before a request is looked at."""

from dataclasses import replace

import pytest
from flask import Flask, request

from core.app import new_app
from core.config import SettingsError, settings_from_env
from core.limits import install
from tests.conftest import a_settings

NEEDED = {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "HUILIN_SECRET_KEY": "nothing is signed here",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HUILIN_OBJECTION_DAYS", "0"),
        ("HUILIN_OBJECTION_DAYS", "-3"),
        ("HUILIN_OBJECTION_DAYS", "99999999999"),
        ("HUILIN_TRUSTED_PROXIES", "-1"),
        ("HUILIN_TRUSTED_PROXIES", "many"),
    ],
)
def test_a_number_out_of_range_stops_the_start(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for needed, said in NEEDED.items():
        monkeypatch.setenv(needed, said)
    assert settings_from_env().objection_days == 15
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        settings_from_env()


def asked_by(redis_url: str, trusted_proxies: int) -> str:
    """Whom a request through a proxy seems to come from."""
    policy = replace(a_settings(NEEDED["DATABASE_URL"], redis_url), trusted_proxies=trusted_proxies)
    app: Flask = new_app(policy)
    install(app)
    app.add_url_rule("/who", "who", lambda: str(request.remote_addr))
    told = app.test_client().get("/who", headers={"X-Forwarded-For": "198.51.100.9"})
    return told.get_data(as_text=True)


def test_a_caller_behind_a_proxy_is_known_only_where_the_proxy_is_trusted(redis_url: str) -> None:
    assert asked_by(redis_url, 0) == "127.0.0.1"
    assert asked_by(redis_url, 1) == "198.51.100.9"
