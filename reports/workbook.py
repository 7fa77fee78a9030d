"""The period as a workbook for finance staff: 汇总, 明细, 科目余额, 说明.

Every total is a formula; the value stored with it is what the books say, so a program that does
not reckon shows the same as one that does. Rows go to disk as they come.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name, xl_range
from xlsxwriter.worksheet import Worksheet

from core.spreadsheet import harmless
from reports.csv_file import HEADERS, cells
from reports.plain_text import ChartLine, Journal
from reports.statement import EXPENSE, INCOME, Statement, StatementRow

MOST_ROWS = 1_048_000
"""A sheet has room for 1,048,576."""

TYPES = {
    "asset": "资产",
    "liability": "负债",
    "equity": "净资产",
    "income": "收入",
    "expense": "支出",
}
DEBIT_YUAN, CREDIT_YUAN, DEBIT_FEN, CREDIT_FEN = (
    HEADERS.index(name) for name in ("借方(元)", "贷方(元)", "借方(分)", "贷方(分)")
)


@dataclass(frozen=True, slots=True)
class Moved:
    """What the postings of a period sum to on one account, in fen."""

    account: str
    debit_fen: int
    credit_fen: int
    postings: int


def write(
    path: Path, journal: Journal, summary: Statement, moved: Sequence[Moved], notes: Sequence[str]
) -> None:
    """Write the workbook; `moved` is what the database sums, and becomes the totals' values."""
    book = Workbook(
        str(path),
        {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False},
    )
    with book:
        sheets = _Sheets(book)
        _summary(sheets, summary)
        _details(sheets, journal, moved)
        _balances(sheets, journal, {row.account: row for row in moved})
        _notes(sheets, notes)


class _Sheets:
    """The workbook with its formats."""

    def __init__(self, book: Workbook) -> None:
        self.book = book
        self.head: Format = book.add_format({"bold": True, "bottom": 1})
        self.yuan: Format = book.add_format({"num_format": "#,##0.00"})
        self.total: Format = book.add_format({"bold": True, "top": 1, "num_format": "#,##0.00"})
        self.count: Format = book.add_format({"bold": True, "top": 1, "num_format": "0"})

    def add(self, name: str, headers: Sequence[str], widths: Mapping[int, int]) -> Worksheet:
        """A sheet with its first row, which stays in sight."""
        sheet: Worksheet = self.book.add_worksheet(name)
        for column, width in widths.items():
            sheet.set_column(column, column, width)
        sheet.freeze_panes(1, 0)
        for column, header in enumerate(headers):
            sheet.write_string(0, column, header, self.head)
        return sheet


def _summary(sheets: _Sheets, summary: Statement) -> None:
    months = [result.month for result in summary.months]
    headers = ["账簿", "科目代码", "科目名称", "类型", *(f"{month:%Y-%m}" for month in months)]
    last = len(headers)
    sheet = sheets.add("汇总", [*headers, "合计(元)", "合计(分)"], {2: 28, last: 16})
    row = 1
    subtotals = []
    for kind, name in ((INCOME, "收入合计"), (EXPENSE, "支出合计")):
        first = row
        for line in summary.rows:
            if line.type == kind:
                _summary_row(sheets, sheet, row, line, months)
                row += 1
        subtotals.append(row)
        results = [month.result for month in summary.months]
        sums = [each.income_fen if kind == INCOME else each.expense_fen for each in results]
        sheet.write_string(row, 2, name, sheets.head)
        for column, fen in enumerate([*sums, sum(sums)], start=4):
            _sum(sheet, row, column, first, sheets.total, fen / 100)
        _sum(sheet, row, last + 1, first, sheets.count, sum(sums))
        row += 1
    sheet.write_string(row, 2, "结余", sheets.head)
    left = [result.result.surplus_fen for result in summary.months]
    for column, fen in enumerate([*left, summary.total.surplus_fen], start=4):
        _less(sheet, row, column, subtotals, sheets.total, fen / 100)
    _less(sheet, row, last + 1, subtotals, sheets.count, summary.total.surplus_fen)


def _summary_row(
    sheets: _Sheets, sheet: Worksheet, row: int, line: StatementRow, months: Sequence[date]
) -> None:
    _texts(sheet, row, (line.book, line.account, line.name, TYPES[line.type]))
    by_month = {figure.month: figure.amount_fen for figure in line.months}
    for column, month in enumerate(months, start=4):
        sheet.write_number(row, column, by_month.get(month, 0) / 100, sheets.yuan)
    last = 4 + len(months)
    across = f"=SUM({xl_range(row, 4, row, last - 1)})"
    sheet.write_formula(row, last, across, sheets.yuan, line.total_fen / 100)
    sheet.write_number(row, last + 1, line.total_fen)


def _details(sheets: _Sheets, journal: Journal, moved: Iterable[Moved]) -> None:
    sheet = sheets.add("明细", HEADERS, {2: 11, 3: 11, 4: 16, 6: 36, 8: 24, 9: 18})
    names = {line.code: line.name_zh for line in journal.chart}
    numbers = {0, DEBIT_FEN, CREDIT_FEN}
    row = 0
    for entry in journal.entries:
        for said in cells(entry, names):
            row += 1
            for column, cell in enumerate(said):
                if column in (DEBIT_YUAN, CREDIT_YUAN):
                    fen = said[column + 2]
                    sheet.write_number(row, column, int(str(fen)) / 100, sheets.yuan)
                elif column in numbers:
                    sheet.write_number(row, column, int(str(cell)))
                else:
                    sheet.write_string(row, column, str(cell))
    sums = {"debit": 0, "credit": 0}
    for account in moved:
        sums["debit"] += account.debit_fen
        sums["credit"] += account.credit_fen
    row += 1
    sheet.write_string(row, 0, "合计", sheets.head)
    _sum(sheet, row, DEBIT_YUAN, 1, sheets.total, sums["debit"] / 100)
    _sum(sheet, row, CREDIT_YUAN, 1, sheets.total, sums["credit"] / 100)
    _sum(sheet, row, DEBIT_FEN, 1, sheets.count, sums["debit"])
    _sum(sheet, row, CREDIT_FEN, 1, sheets.count, sums["credit"])


def _balances(sheets: _Sheets, journal: Journal, moved: Mapping[str, Moved]) -> None:
    """Debit is positive; the balance at the end is a formula beside what the books say in fen."""
    headers = (
        "账簿",
        "科目代码",
        "科目名称",
        "类型",
        "期初(元)",
        "借方(元)",
        "贷方(元)",
        "期末(元)",
    )
    sheet = sheets.add("科目余额", [*headers, "期末(分)"], {2: 28, 4: 14, 5: 14, 6: 14, 7: 14})
    nothing = Moved("", 0, 0, 0)
    totals = [0, 0, 0, 0]
    row = 0
    for row, line in enumerate(journal.used, start=1):
        account = moved.get(line.code, nothing)
        opening, closing = journal.opening.get(line.code, 0), journal.closing[line.code]
        _texts(sheet, row, _chart_cells(line))
        figures = (opening, account.debit_fen, account.credit_fen)
        for column, fen in enumerate(figures, start=4):
            sheet.write_number(row, column, fen / 100, sheets.yuan)
        formula = f"=E{row + 1}+F{row + 1}-G{row + 1}"
        sheet.write_formula(row, 7, formula, sheets.yuan, closing / 100)
        sheet.write_number(row, 8, closing)
        totals = [sum(pair) for pair in zip(totals, (*figures, closing), strict=True)]
    sheet.write_string(row + 1, 2, "合计", sheets.head)
    for column, fen in enumerate(totals, start=4):
        _sum(sheet, row + 1, column, 1, sheets.total, fen / 100)
    _sum(sheet, row + 1, 8, 1, sheets.count, totals[-1])


def _notes(sheets: _Sheets, notes: Sequence[str]) -> None:
    sheet = sheets.add("说明", ["说明"], {0: 110})
    for row, note in enumerate(notes, start=1):
        sheet.write_string(row, 0, harmless(note))


def _chart_cells(line: ChartLine) -> tuple[str, ...]:
    return line.book, line.code, line.name_zh, TYPES[line.type]


def _texts(sheet: Worksheet, row: int, said: Iterable[str]) -> None:
    for column, cell in enumerate(said):
        sheet.write_string(row, column, harmless(cell))


def _sum(sheet: Worksheet, row: int, column: int, first: int, style: Format, value: float) -> None:
    """The sum of the cells above, from row `first` on; of none when there are none."""
    above = xl_range(first, column, row - 1, column)
    formula = f"=SUM({above})" if row > first else "=0"
    sheet.write_formula(row, column, formula, style, value)


def _less(
    sheet: Worksheet, row: int, column: int, rows: Sequence[int], style: Format, value: float
) -> None:
    name = xl_col_to_name(column)
    income, expense = (f"{name}{number + 1}" for number in rows)
    sheet.write_formula(row, column, f"={income}-{expense}", style, value)
