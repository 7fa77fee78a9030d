"""Whether what is kept of a parcel is what was written: its chain of hashes, recomputed. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

GENESIS = bytes(32)
"""What the first event follows."""


@dataclass(frozen=True, slots=True)
class Link:
    """One event: its place, its canonical text, the hash it follows, and its own."""

    seq: int
    content: str
    previous_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether each link holds, in order; the first that does not; the last hash in hex."""

    holds: tuple[bool, ...]
    broken_at: int | None
    head: str | None

    @property
    def ok(self) -> bool:
        """Whether nothing was changed, taken out or put in between."""
        return self.broken_at is None


def linked(seq: int, content: str, previous_hash: bytes) -> Link:
    """The link that follows: its hash is SHA-256 of the one before and its text in UTF-8."""
    own = hashlib.sha256(previous_hash + content.encode()).digest()
    return Link(seq, content, previous_hash, own)


def verify(links: Sequence[Link]) -> Verdict:
    """Recompute a chain, from the first event on."""
    holds = []
    seq, previous = 0, GENESIS
    for link in links:
        holds.append(link == linked(seq + 1, link.content, previous))
        seq, previous = link.seq, link.hash
    broken = (link.seq for link, holding in zip(links, holds, strict=True) if not holding)
    head = links[-1].hash.hex() if links else None
    return Verdict(tuple(holds), next(broken, None), head)
