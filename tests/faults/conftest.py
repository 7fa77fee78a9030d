"""The attacker and the workers, ready."""

from datetime import timedelta
from pathlib import Path

import pytest
import redis
from flask import Flask
from sqlalchemy.orm import Session

from core.app import settings
from tests.cast import NOON, Community
from tests.faults.attacker import PLATE, Attacker
from tests.faults.plant import Plant


@pytest.fixture
def attacker(community: Community, session: Session) -> Attacker:
    """A community with a stay that owes, an exception, and somebody who wishes it ill."""
    community.knock("entry", PLATE, NOON - timedelta(hours=2))
    community.knock("exit", PLATE, NOON - timedelta(hours=1))
    community.knock("exit", "川C99999", NOON - timedelta(hours=1))
    attacker = Attacker(community, session)
    attacker.sign_everybody_in()
    return attacker


@pytest.fixture
def plant(app: Flask, redis_url: str, tmp_path: Path) -> Plant:
    """Workers on the test's database, and a queue that nobody has written to."""
    with redis.Redis.from_url(redis_url) as memory:
        memory.flushall()
    with app.app_context():
        url = settings().database_url
    return Plant(url, redis_url, tmp_path)
