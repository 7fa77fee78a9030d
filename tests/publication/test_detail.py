"""Nobody stands out of the groups, and nothing is lost in them."""

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from publication.detail import Group, Item, groups

FIRST = date(2026, 11, 1)
SHAPES = ({"a": 1, "b": -1}, {"a": 3, "c": -3}, {"a": 2, "b": -1, "c": -1})

items = st.lists(
    st.builds(
        lambda book, day, payer, shape, times: Item(
            book, FIRST + timedelta(days=day), payer, {k: v * times for k, v in shape.items()}
        ),
        st.sampled_from(["fund", "owners"]),
        st.integers(0, 29),
        st.sampled_from("abcdefghijkl"),
        st.sampled_from(SHAPES),
        st.integers(1, 900),
    ),
    max_size=60,
)


def total(told: Iterable[Group | Item]) -> Counter[tuple[str, str]]:
    """Fen by book and account."""
    found: Counter[tuple[str, str]] = Counter()
    for one in told:
        for account, fen in one.amounts.items():
            found[one.book, account] += fen
    return found


@given(items, st.integers(2, 6))
def test_every_group_is_large_enough_or_the_whole_book(said: list[Item], least: int) -> None:
    found = groups(said, least)
    assert total(found) == total(said)
    assert sum(group.entries for group in found) == len(said)
    books = Counter(group.book for group in found)
    for group in found:
        assert group.payers >= least or books[group.book] == 1
        assert group.since <= group.until


@given(items, st.integers(2, 6), st.randoms())
def test_the_groups_are_the_same_in_whatever_order_entries_came(
    said: list[Item], least: int, chance: object
) -> None:
    mixed = list(said)
    chance.shuffle(mixed)  # type: ignore[attr-defined]  # Hypothesis types its chance as object

    def shown(found: list[Group]) -> list[object]:
        return [(g.book, g.since, g.until, g.names, g.entries, g.amounts) for g in found]

    assert shown(groups(mixed, least)) == shown(groups(said, least))


def test_days_are_put_together_until_there_are_enough() -> None:
    days = [(1, "ab"), (2, "ac"), (3, "de"), (4, "a")]
    said = [
        Item("fund", FIRST + timedelta(days=day), payer, SHAPES[0])
        for day, payers in days
        for payer in payers
    ]
    found = groups(said, 3)
    told = [(g.since.day, g.until.day, g.entries, g.payers) for g in found]
    assert told == [(2, 3, 4, 3), (4, 5, 3, 3)]


def test_a_rare_kind_hides_behind_a_common_one() -> None:
    common = [Item("fund", FIRST, payer, SHAPES[0]) for payer in "abcde"]
    found = groups([*common, Item("fund", FIRST, "f", SHAPES[1])], 5)
    assert [(g.payers, g.amounts) for g in found] == [(6, {"a": 8, "b": -5, "c": -3})]
