"""Sealed texts come back whole, and only to the installation that sealed them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sealing import SealError, keyed_digest, seal, unseal

OURS, THEIRS = "k" * 32, "another installation's secret key"
CODE = "428913"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_comes_back(text: str) -> None:
    assert unseal(OURS, seal(OURS, text)) == text


def test_a_seal_shows_neither_its_text_nor_that_two_texts_are_the_same() -> None:
    first, second = seal(OURS, CODE), seal(OURS, CODE)
    assert first != second
    assert CODE.encode() not in first


def test_another_installation_cannot_open_it() -> None:
    with pytest.raises(SealError):
        unseal(THEIRS, seal(OURS, CODE))


@pytest.mark.parametrize(
    "broken", [b"", b"428913", "取件码".encode(), pytest.param(seal(OURS, CODE)[:-8], id="cut off")]
)
def test_what_is_broken_is_refused(broken: bytes) -> None:
    with pytest.raises(SealError):
        unseal(OURS, broken)


def test_a_changed_seal_is_refused() -> None:
    sealed = bytearray(seal(OURS, CODE))
    sealed[20] ^= 1
    with pytest.raises(SealError):
        unseal(OURS, bytes(sealed))


def test_a_digest_finds_the_same_text_again() -> None:
    digest = keyed_digest(OURS, "pickup-code", CODE)
    assert digest == keyed_digest(OURS, "pickup-code", CODE)
    assert len(digest) == 32


@pytest.mark.parametrize(
    ("secret_key", "purpose", "text"),
    [
        (THEIRS, "pickup-code", CODE),
        (OURS, "delegate-code", CODE),
        (OURS, "pickup-code", "428914"),
        (OURS, "pickup-cod", "e428913"),
    ],
)
def test_key_purpose_and_text_all_count(secret_key: str, purpose: str, text: str) -> None:
    assert keyed_digest(secret_key, purpose, text) != keyed_digest(OURS, "pickup-code", CODE)


def test_digests_stay_the_same_over_releases() -> None:
    """They are looked up in the database, so another way to derive them would lose them all."""
    known = "7c058858be5b348fe2f21bc7d6474f1f087c736141e6e5bbc4a932f02e1290a7"
    assert keyed_digest(OURS, "pickup-code", CODE).hex() == known
