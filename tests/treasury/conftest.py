"""A community whose money goes out and comes back."""

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from core import clock
from identity import people
from tests.cast import NOON, PASSWORD, Community
from tests.treasury.office import Office


@pytest.fixture
def office(community: Community, session: Session) -> Iterator[Office]:
    """At noon; Fay keeps the books together with Fan."""
    people.create_person(session, "fay", PASSWORD, "finance")
    session.commit()
    with clock.at(NOON):
        yield Office(community, session)
