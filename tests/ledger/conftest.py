"""The ledger by itself: its tests raise charges for stays that no garage has seen."""

import pytest

from ledger import proof


@pytest.fixture(autouse=True)
def _only_the_ledgers_own_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "OTHERS", {})
