"""The sample community is the contract's, and its secrets can be lost and renewed."""

from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

import sample
from core.app import settings
from core.db import atomic
from identity import sessions


def test_the_sample_is_as_the_contract_says(app: Flask, session: Session) -> None:
    secret = atomic(sample.fill, None)
    assert {"resident", "owner", "operator", "finance", "auditor", "admin"} <= set(secret["users"])
    assert secret["users"]["resident"]["plate"] == "川A12345"
    assert set(secret["devices"]) == {"entry", "exit", "dock", "cabinet"}
    assert all({"id", "token", "serial"} <= set(d) for d in secret["devices"].values())
    with app.test_client() as client:
        pair = _signed_in(secret)
        said = {"Authorization": f"Bearer {pair}"}
        lots = {lot["code"]: lot for lot in client.get("/api/v1/lots", headers=said).get_json()}
        assert (lots["B2"]["kind"], lots["B2"]["capacity"]) == ("car", 320)
        assert (lots["EB"]["kind"], lots["EB"]["capacity"]) == ("ebike", 220)
        [cabinet] = client.get("/api/v1/cabinets", headers=said).get_json()
        assert cabinet["compartments"] >= 40
    owned = "SELECT count(*) FROM space WHERE owner_household_id IS NOT NULL"
    assert session.execute(text(owned)).scalar_one() > 0


def test_lost_secrets_are_renewed_and_known_ones_kept(app: Flask) -> None:
    first = atomic(sample.fill, None)
    assert atomic(sample.fill, first) == first
    renewed = atomic(sample.fill, None)
    assert renewed["devices"]["entry"]["token"] != first["devices"]["entry"]["token"]
    assert _signed_in(renewed)


def _signed_in(secret: dict[str, dict[str, dict[str, str]]]) -> str:
    user = secret["users"]["operator"]
    pair = atomic(sessions.sign_in, settings().secret_key, user["username"], user["password"])
    assert pair is not None
    return pair.access_token
