"""Merkle trees as RFC 6962 grows them, over the leaves of one book and day. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

GENESIS = bytes(32)
"""The head before a book's first day."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step from a leaf to the root: the hash beside it, and on which side."""

    side: Literal["left", "right"]
    hash: bytes


def leaf_of(content: bytes) -> bytes:
    """The leaf of an entry's canonical form."""
    return hashlib.sha256(b"\x00" + content).digest()


def node_of(left: bytes, right: bytes) -> bytes:
    """The node above two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root of a tree; of none, the hash of nothing. A node without a neighbour moves up."""
    if not leaves:
        return hashlib.sha256().digest()
    level = leaves
    while len(level) > 1:
        level = _above(level)
    return level[0]


def path_of(leaves: Sequence[bytes], place: int) -> list[Step]:
    """The steps from the leaf at `place`, counted from 0, to the root."""
    steps: list[Step] = []
    level = leaves
    while len(level) > 1:
        beside = place ^ 1
        if beside < len(level):
            steps.append(Step("left" if beside < place else "right", level[beside]))
        level, place = _above(level), place // 2
    return steps


def head_of(previous: bytes, book: str, day: date, count: int, root: bytes) -> bytes:
    """The head of a day of a book: SHA-256 over the head before and all that the day says."""
    said = f"{book} {day.isoformat()} {count}".encode()
    return hashlib.sha256(previous + said + root).digest()


def _above(level: Sequence[bytes]) -> list[bytes]:
    sha256 = hashlib.sha256
    above = [
        sha256(b"\x01" + level[place] + level[place + 1]).digest()
        for place in range(0, len(level) - 1, 2)
    ]
    if len(level) % 2:
        above.append(level[-1])
    return above
