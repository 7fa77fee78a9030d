"""The script of docs/hash-chain.md recomputes the chain with no code of ours."""

import re
from pathlib import Path
from typing import Any

from core import clock
from core.db import atomic, db
from ledger.settlement import settle_batch
from tests.cast import NOON, Community
from tests.ledger.till import book, fee, vote

DOC = Path(__file__).parents[2] / "docs" / "hash-chain.md"


def test_the_documented_script_recomputes_every_link(community: Community) -> None:
    with db.session() as session:
        vote(session)
        vote(session, income="overstay")
        book(session, *(fee(stay) for stay in (1, 2, 3)))
        book(session, fee(4, parts={"parking": 700, "overstay": 100}))
    atomic(settle_batch, 2)
    atomic(settle_batch, 2)
    with clock.at(NOON):
        answer = community.client.get("/api/v1/ledger/entries", headers=community.as_person("ava"))
    script: dict[str, Any] = {}
    found = re.search(r"```python\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    exec(found[1], script)  # noqa: S102 - the document is ours, and this is its test
    entries = sorted(answer.get_json(), key=lambda entry: int(entry["position"]))
    previous = "00" * 32
    for position, entry in enumerate(entries, start=1):
        assert (entry["position"], entry["previous_hash"]) == (position, previous)
        assert script["recompute"](entry) == entry["hash"]
        previous = entry["hash"]
    assert len(entries) == 4
    assert {p["split_rule_id"] is None for p in entries[-1]["postings"]} == {True, False}
