"""Couriers by themselves: what other packages prove of their charges is proved elsewhere."""

import pytest

from ledger import proof


@pytest.fixture(autouse=True)
def _only_the_ledgers_own_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "OTHERS", {})
