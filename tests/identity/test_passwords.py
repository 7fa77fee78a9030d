"""argon2 hashes, and that a name nobody has costs as much as a wrong password."""

from typing import Literal

import pytest
from argon2 import PasswordHasher

from identity import passwords


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> "Counting":
    hasher = Counting(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "hasher", hasher)
    return hasher


class Counting(PasswordHasher):
    """Counts what it verifies."""

    verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the library's name
        self.verified += 1
        return super().verify(hash, password)


def test_only_the_right_password_matches(cheap: Counting) -> None:
    stored = passwords.hash_password("correct horse")
    assert passwords.matches(stored, "correct horse")
    assert not passwords.matches(stored, "correct horsf")
    assert not passwords.matches(stored, "")


def test_two_hashes_of_one_password_differ(cheap: Counting) -> None:
    assert passwords.hash_password("correct horse") != passwords.hash_password("correct horse")


def test_nobody_matches_nothing_at_the_cost_of_one_verification(cheap: Counting) -> None:
    assert not passwords.matches(None, "the password of nobody")
    assert cheap.verified == 1


def test_a_broken_hash_matches_nothing(cheap: Counting) -> None:
    assert not passwords.matches("not a hash", "correct horse")


def test_a_hash_of_other_costs_is_outdated(cheap: Counting) -> None:
    assert not passwords.is_outdated(passwords.hash_password("correct horse"))
    dearer = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash("correct horse")
    assert passwords.is_outdated(dearer)


@pytest.mark.parametrize("password", ["", "seven77", "x" * 257, "nul\x00inside"])
def test_unfit_passwords_are_refused(password: str) -> None:
    with pytest.raises(ValueError, match="8 to 256"):
        passwords.hash_password(password)


@pytest.mark.parametrize("password", ["eight888", "密码密码密码密码", "x" * 256])
def test_fit_passwords_round_trip(cheap: Counting, password: str) -> None:
    assert passwords.matches(passwords.hash_password(password), password)
