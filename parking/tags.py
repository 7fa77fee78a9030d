"""What an e-bike shows at a dock: a resident's card, or its own plate. Pure.

Both become the `Plate` of a stay: a card has the colour "tag", an e-bike's plate none that we
know. Neither ever has the shape of a car's plate, so that no e-bike is taken for a car.
"""

import re

from parking import plates
from parking.plates import PROVINCES, Plate

TAG = "tag"
"""The plate colour of a card."""

LAYOUT = rf"[{PROVINCES}A-Z0-9]{{4,12}}"
"""E-bike plates have no national layout; a city that has one can be stricter."""

_CARD = re.compile(r"[0-9A-Z]{6,32}", re.A)


def card(read: str) -> Plate | None:
    """The card a reader's uid stands for ('5d:c0:91:7a' is '5DC0917A'), or None."""
    text = plates.normalise(read.replace(":", ""))
    return Plate(text, TAG) if _CARD.fullmatch(text) and not plates.parse(text) else None


def ebike_plate(read: str, layout: str = LAYOUT) -> Plate | None:
    """The e-bike plate a text stands for, or None; `layout` is the city's pattern."""
    text = plates.normalise(read)
    fits = re.fullmatch(layout, text, re.A) and not plates.parse(text)
    return Plate(text, "unknown") if fits else None
