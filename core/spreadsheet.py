"""What a cell of a file for spreadsheets may hold. Pure."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""A cell beginning so is a formula to a spreadsheet, whoever wrote it; in some also full-width."""

BOM = "\ufeff"
"""Without it, spreadsheets read Chinese as something else."""


def harmless(cell: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    shown = "" if cell is None else str(cell)
    return f"'{shown}" if shown.startswith(FORMULA) else shown
