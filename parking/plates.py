"""Number plates as values: normalised text and colour; which shapes are plates at all.

Shapes follow GA 36 practice as gathered in the facts: ordinary, new energy (all energy
letters), trailer, learner, police, Hong Kong and Macau, embassy, armed forces. Accept wide,
decode nothing.
"""

import re
import unicodedata
from dataclasses import dataclass

COLORS = ("blue", "green", "yellow", "white", "black", "unknown")
PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
NO_PLATE = frozenset({"", "_无_", "无", "无牌", "无牌车", "NOPLATE", "UNKNOWN"})

_BODY = "A-HJ-NP-Z0-9"
_SHAPES = (
    rf"[{PROVINCES}][A-Z][{_BODY}]{{5}}",
    rf"[{PROVINCES}][A-Z][{_BODY}]{{4}}[挂学警领]",
    rf"粤Z[{_BODY}]{{4}}[港澳]",
    rf"[{PROVINCES}][A-Z][{_BODY}]{{3,4}}应急",
    r"使\d{6}|\d{6}使|\d{3}\d{3}领",
    r"WJ[\u4e00-\u9fff]?\d{4,5}[A-Z0-9]?",
    r"[A-Z]{2}[A-Z0-9]\d{4}",
    r"民航[A-Z0-9]{5}",
)
_NEW_ENERGY = re.compile(
    rf"[{PROVINCES}][A-Z](?:[A-HJK][A-HJ-NP-Z0-9]\d{{4}}|\d{{5}}[A-HJK])", re.A
)
_ORDINARY = re.compile("|".join(_SHAPES), re.A)
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
    if _NEW_ENERGY.fullmatch(text):
        return Plate(text, "green")
    if _ORDINARY.fullmatch(text):
        return Plate(text, color if color in COLORS else "unknown")
    return None
