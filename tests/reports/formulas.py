"""What the formulas of our workbooks come to: sums of ranges, and cells added and subtracted."""

import re
from typing import Any

CELL = r"[A-Z]{1,3}[0-9]+"
SUM = re.compile(rf"=SUM\(({CELL})(?::({CELL}))?\)")
TERMS = re.compile(rf"([=+-])({CELL}|[0-9]+)")


def value(sheet: Any, place: str) -> float:
    """A cell's number, reckoned anew from the cells that hold plain numbers."""
    said = sheet[place].value
    if not isinstance(said, str):
        return float(said or 0)
    if summed := SUM.fullmatch(said):
        cells = [cell for row in sheet[f"{summed[1]}:{summed[2] or summed[1]}"] for cell in row]
        return sum(value(sheet, cell.coordinate) for cell in cells)
    terms = TERMS.findall(said)
    assert "".join(sign + term for sign, term in terms) == said
    signs = {"=": 1, "+": 1, "-": -1}
    return sum(
        signs[sign] * (float(term) if term.isdigit() else value(sheet, term))
        for sign, term in terms
    )
