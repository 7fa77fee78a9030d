"""The attacker, ready."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from tests.cast import NOON, Community
from tests.faults.attacker import PLATE, Attacker


@pytest.fixture
def attacker(community: Community, session: Session) -> Attacker:
    """A community with a stay that owes, an exception, and somebody who wishes it ill."""
    community.knock("entry", PLATE, NOON - timedelta(hours=2))
    community.knock("exit", PLATE, NOON - timedelta(hours=1))
    community.knock("exit", "川C99999", NOON - timedelta(hours=1))
    attacker = Attacker(community, session)
    attacker.sign_everybody_in()
    return attacker
