"""Trees against RFC 6962's own recursive words."""

import hashlib
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from ledger import merkle

LEAVES = st.lists(st.binary(min_size=32, max_size=32), max_size=70)


def by_the_book(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 §2.1, over leaves that are hashed already."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256().digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    both = by_the_book(leaves[:half]) + by_the_book(leaves[half:])
    return hashlib.sha256(b"\x01" + both).digest()


@given(LEAVES)
def test_roots_are_those_of_the_rfc_and_every_path_leads_to_them(leaves: list[bytes]) -> None:
    root = merkle.root_of(leaves)
    assert root == by_the_book(leaves)
    for place, node in enumerate(leaves):
        path = merkle.path_of(leaves, place)
        assert len(path) <= (len(leaves) - 1).bit_length()
        for step in path:
            left, right = (node, step.hash) if step.side == "right" else (step.hash, node)
            node = merkle.node_of(left, right)
        assert node == root


def test_known_trees() -> None:
    assert merkle.root_of([]).hex() == hashlib.sha256().hexdigest()
    assert merkle.leaf_of(b"").hex() == (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )
    day = merkle.head_of(merkle.GENESIS, "fund", date(2026, 11, 23), 2, bytes(32))
    assert day == hashlib.sha256(bytes(32) + b"fund 2026-11-23 2" + bytes(32)).digest()
