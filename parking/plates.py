"""Number plates as values: what is one, of which class it is, and when two are one vehicle. Pure.

Shapes follow GA 36 practice as gathered in the facts (domain/parking.md §5): coded rules, one for
each kind. Accept wide; decode nothing that has no public source, such as embassy serials.
"""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

COLORS = ("blue", "green", "yellow", "white", "black", "unknown")
PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
NO_PLATE = frozenset({"", "_无_", "无", "无牌", "无牌车", "NOPLATE", "UNKNOWN"})


class Kind(StrEnum):
    """What a plate is by its text; its colour says the rest."""

    ORDINARY = "ordinary"
    NEW_ENERGY_SMALL = "new-energy-small"
    NEW_ENERGY_LARGE = "new-energy-large"
    TRAILER = "trailer"
    LEARNER = "learner"
    POLICE = "police"
    CONSULATE = "consulate"
    EMBASSY = "embassy"
    HONG_KONG = "hong-kong"
    MACAU = "macau"
    EMERGENCY = "emergency"
    ARMED_FORCES = "armed-forces"
    CIVIL_AVIATION = "civil-aviation"
    TEMPORARY = "temporary"
    NONE = "none"


NEW_ENERGY = frozenset({Kind.NEW_ENERGY_SMALL, Kind.NEW_ENERGY_LARGE})

# The authority's letter is never I; series have neither I nor O, which look like 1 and 0. New
# energy: D, then A B C E for pure electric, F, then G H J K for the others; the letter comes first
# on small vehicles, last on large ones.
_PLACE = rf"[{PROVINCES}][A-HJ-Z]"
_SERIES = "[A-HJ-NP-Z0-9]"
_ENERGY = "[A-HJK]"
_SHAPES = {
    Kind.ORDINARY: rf"{_PLACE}{_SERIES}{{5}}",
    Kind.NEW_ENERGY_SMALL: rf"{_PLACE}{_ENERGY}{_SERIES}\d{{4}}",
    Kind.NEW_ENERGY_LARGE: rf"{_PLACE}\d{{5}}{_ENERGY}",
    Kind.TRAILER: rf"{_PLACE}{_SERIES}{{4}}挂",
    Kind.LEARNER: rf"{_PLACE}{_SERIES}{{4}}学",
    Kind.POLICE: rf"{_PLACE}{_SERIES}{{4}}警",
    Kind.CONSULATE: rf"{_PLACE}{_SERIES}{{4}}领|\d{{6}}领",
    Kind.EMBASSY: r"使\d{6}|\d{6}使",
    Kind.HONG_KONG: rf"粤Z{_SERIES}{{4}}港",
    Kind.MACAU: rf"粤Z{_SERIES}{{4}}澳",
    Kind.EMERGENCY: rf"{_PLACE}{_SERIES}{{3,4}}应急",
    Kind.ARMED_FORCES: r"WJ[\u4e00-\u9fff]?\d{4,5}[A-Z0-9]?|[A-Z]{2}[A-Z0-9]\d{4}",
    Kind.CIVIL_AVIATION: r"民航[A-Z0-9]{5}",
    Kind.TEMPORARY: rf"{_PLACE}{_SERIES}{{4,5}}临",
}
_ANY = re.compile("|".join(f"(?P<{kind.name}>{shape})" for kind, shape in _SHAPES.items()), re.A)
_SEPARATORS = re.compile(r"[\s·•.\-_]+")


@dataclass(frozen=True, slots=True)
class Plate:
    """Identity of a vehicle: normalised text plus colour (new energy is always green)."""

    text: str
    color: str

    @property
    def masked(self) -> str:
        """What logs may say of it."""
        return f"{self.text[:2]}***{self.text[-1]}"

    def __str__(self) -> str:
        """The text alone: what a driver reads on the display."""
        return self.text


def is_no_plate(read: str) -> bool:
    """Whether a camera says that it saw a vehicle without a readable plate."""
    return read.strip() in NO_PLATE or normalise(read) in NO_PLATE


def normalise(read: str) -> str:
    """Upper case, half width, without separators: '川a·12345' becomes '川A12345'."""
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", read)).upper()


def parse(read: str, color: str = "unknown") -> Plate | None:
    """The plate a text stands for, or None when no plate has this shape."""
    text = normalise(read)
    kind = _kind(text)
    if kind is Kind.NONE:
        return None
    if kind in NEW_ENERGY:
        return Plate(text, "green")
    return Plate(text, color if color in COLORS else "unknown")


@dataclass(frozen=True, slots=True)
class PlateClass:
    """What a tariff may ask of a plate."""

    kind: Kind
    vehicle_class: Literal["small", "large"]
    new_energy: bool


def classify(plate: Plate | None) -> PlateClass:
    """Class of a plate; kind `none` for a vehicle without one, or with a text no plate has.

    New energy is a matter of the text: seven characters never are, whatever colour was seen.
    Large are yellow plates, trailers and large new-energy plates. Learner plates are yellow on
    small vehicles too, so they are small, as is all that nobody knows to be large.
    """
    kind = _kind(plate.text) if plate else Kind.NONE
    yellow = plate is not None and plate.color == "yellow" and kind is not Kind.LEARNER
    large = yellow or kind in {Kind.NEW_ENERGY_LARGE, Kind.TRAILER}
    return PlateClass(kind, "large" if large else "small", kind in NEW_ENERGY)


def _kind(text: str) -> Kind:
    match = _ANY.fullmatch(text)
    return Kind[match.lastgroup] if match and match.lastgroup else Kind.NONE
