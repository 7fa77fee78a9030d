"""Known plates that a camera may have misread: for an operator's eye alone. Pure.

A suggestion never opens a gate and never makes a bill: two neighbours' plates may well differ in
one character. The deciding and billing files must not import this one; a test sees to it.
"""

from collections.abc import Iterable
from itertools import permutations
from operator import ne

from parking.plates import Plate, is_no_plate, normalise

# Characters that cameras take for each other, as readers' correction tables name them.
_ALIKE = ("0DOQ", "1IL", "2Z", "38B", "4A", "5S", "6G", "7T")
_CONFUSED = frozenset(pair for alike in _ALIKE for pair in permutations(alike, 2))


def suggestions(read: str, known: Iterable[Plate]) -> list[Plate]:
    """Known plates one misread character away from what was read, the likeliest first.

    First those that differ in characters that look alike, then those that differ in the province
    (garbled, or not read at all), then the others. A plate that reads the same is no suggestion.
    """
    if is_no_plate(read):
        return []
    text = normalise(read)
    length = len(text)
    found = []
    for plate in known:
        if len(plate.text) == length:
            if sum(map(ne, text, plate.text)) == 1:
                found.append((_unlikeness(text, plate.text), plate))
        elif plate.text[1:] == text:
            found.append((1, plate))
    found.sort(key=lambda ranked: (ranked[0], ranked[1].text, ranked[1].color))
    return [plate for _, plate in found]


def _unlikeness(text: str, known: str) -> int:
    at = next(i for i, (read, true) in enumerate(zip(text, known, strict=True)) if read != true)
    if (text[at], known[at]) in _CONFUSED:
        return 0
    return 1 if at == 0 else 2
