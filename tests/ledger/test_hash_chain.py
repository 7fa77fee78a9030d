"""The script of docs/hash-chain.md proves entries with no code of ours."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from ledger import proof, seals
from tests.cast import NOON, Community
from tests.ledger.till import ask, book, fee, open_till, seal_all, settle_all, vote

DOC = Path(__file__).parents[2] / "docs" / "hash-chain.md"
LATER = NOON + timedelta(minutes=1)


@pytest.fixture
def script() -> dict[str, Any]:
    """The functions of the documented script, which has thirty lines of code at most."""
    found = re.search(r"```python\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    assert len([line for line in found[1].splitlines() if line.strip()]) <= 30
    names: dict[str, Any] = {}
    exec(found[1], names)  # noqa: S102 - the document is ours, and this is its test
    return names


def settle_and_seal(session: Session) -> None:
    """Twice, so that leaves are added to a tree that is there already."""
    with clock.at(NOON):
        vote(session)
        vote(session, income="overstay")
        book(session, *(fee(stay) for stay in range(1, 6)))
        book(session, fee(6, parts={"parking": 700, "overstay": 100}))
        settle_all()
    while atomic(seals.seal_batch, LATER, limit=7):
        pass


def test_the_documented_script_proves_every_entry(
    session: Session, community: Community, script: dict[str, Any]
) -> None:
    settle_and_seal(session)
    said: dict[str, bool] = {}

    def ask_for(path: str) -> Any:
        headers = community.as_person("ava")
        return community.client.get(f"/api/v1/ledger{path}", headers=headers).get_json()

    for _day in (1, 2):
        with clock.at(LATER):
            entries = ask_for("/entries?page_size=50")
            proofs = {entry["id"]: ask_for(f"/entries/{entry['id']}/proof") for entry in entries}
        assert len(entries) == 18
        for entry in entries:
            proof = proofs[entry["id"]]
            assert script["leaf"](entry).hex() == entry["hash"] == proof["leaf"]
            assert script["holds"](entry, proof)
            assert not script["holds"](entry | {"memo": "x"}, proof)
            assert not script["holds"](entry | {"posted_on": "2026-11-24"}, proof)
            other = proofs[entry["id"] % 18 + 1]
            assert not script["holds"](entry, other)
        said |= {proof["day"]["head"]: proof["day"]["open"] for proof in proofs.values()}
        with clock.at(LATER):
            heads = {day["head"] for day in ask_for("/trial-balance")["heads"]}
        assert heads == said.keys()
        atomic(seals.close_days, LATER + timedelta(days=1))
    assert set(said.values()) == {False}
    assert ask(session, "SELECT count(*) FROM day_seal") == [(3,)]


def test_what_was_recorded_before_a_later_day_began_joins_that_day(session: Session) -> None:
    """An entry in flight over midnight: a day that others already chain to takes none any more."""
    open_till(session)
    days = (NOON, NOON + timedelta(days=2), NOON + timedelta(days=1))
    for number, at in enumerate(days, start=1):
        with clock.at(at):
            book(session, fee(number))
            settle_all()
            seal_all()
    sql = "SELECT day, count(*) FROM entry_leaf WHERE book = 'fund' GROUP BY day ORDER BY day"
    assert ask(session, sql) == [(days[0].date(), 1), (days[1].date(), 2)]
    assert proof.verify(session).ok
