"""A community whose books tell of fees that no garage has seen."""

import pytest
from sqlalchemy.orm import Session

from core.limits import limiter
from ledger import proof
from publication.proof import editions_stand
from tests.cast import Community
from tests.publication.bureau import Bureau, november


@pytest.fixture(autouse=True)
def _no_checks_of_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "OTHERS", {"publications": editions_stand})


@pytest.fixture(autouse=True)
def _no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "enabled", False)


@pytest.fixture
def bureau(community: Community, session: Session) -> Bureau:
    """The bureau after November, before anybody closed it."""
    bureau = Bureau(community, session)
    november(bureau)
    return bureau
