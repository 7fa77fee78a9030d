"""A community that is set up for WeChat Pay, and the provider's stub."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from core.app import settings
from simulation.tenpay import Tenpay, provider
from tests.cast import Community
from tests.channels.counter import Counter


@pytest.fixture
def tenpay() -> Iterator[Tenpay]:
    """The provider."""
    with provider() as tenpay:
        yield tenpay


@pytest.fixture
def counter(
    app: Flask, community: Community, session: Session, tenpay: Tenpay
) -> Iterator[Counter]:
    """The community with WeChat Pay."""
    before = settings()
    app.config["SETTINGS"] = replace(before, wechat=tenpay.merchant)
    yield Counter(community, session, tenpay)
    app.config["SETTINGS"] = before
