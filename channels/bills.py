"""What all bills have in common: lines, yuan, instants, encodings. Pure."""

import base64
import binascii
import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Literal
from zoneinfo import ZoneInfo

CHINA = ZoneInfo("Asia/Shanghai")
"""Bills of Chinese providers and banks say Chinese wall-clock time, wherever we are."""

BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*\Z")
YEARS = 2000, 2099
MOMENTS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%Y%m%d", "%Y/%m/%d", "%Y/%m/%d %H:%M:%S")
LONGEST_ID, LONGEST_MEMO = 64, 128
LARGEST_FEN = 10**15

Type = Literal["payment", "refund", "transfer", "other"]


class BillError(ValueError):
    """The file is not what it claims to be, or not all of it; the text says where."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill: fen that came in or went back, what of it was kept as a fee.

    Payments and refunds are positive; a bank's lines are negative when money left. A negative
    fee was given back. `reference` is our own number, `external_id` the provider's.
    """

    type: Type
    external_id: str
    reference: str
    amount_fen: int
    fee_fen: int
    occurred_at: datetime
    memo: str = ""
    provider: str | None = None

    @property
    def on_day(self) -> date:
        """The day that the bill says."""
        return self.occurred_at.astimezone(CHINA).date()


@dataclass(frozen=True, slots=True)
class Bill:
    """A whole file; the days that it says it covers, if it does."""

    lines: tuple[Line, ...]
    covers: tuple[date, date] | None = None


def content(said: str) -> bytes:
    """The file's bytes: sent in base64 (no bill's text is free of commas), else as text."""
    if BASE64.match(said):
        try:
            return base64.b64decode("".join(said.split()), validate=True)
        except binascii.Error as error:
            raise BillError("neither a text with commas nor base64") from error
    return said.encode()


def text(file: bytes) -> str:
    """UTF-8 with or without a BOM, else GB18030 (of which GBK is a part)."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            found = file.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" in found:
            raise BillError("has a NUL: this is no CSV")
        return found
    raise BillError("is neither UTF-8 nor GBK")


def fen(yuan: str, where: str) -> int:
    """Whole fen of an amount in yuan like `12.30`, `1,234.50` or `0.60000`."""
    try:
        exact = Decimal(yuan.strip().replace(",", "").removeprefix("¥") or "0") * 100
    except InvalidOperation as error:
        raise BillError(f"{where}: no amount: {yuan[:32]}") from error
    if not exact.is_finite() or abs(exact) > LARGEST_FEN or exact != exact.to_integral_value():
        raise BillError(f"{where}: not in whole fen: {yuan[:32]}")
    return int(exact)


def moment(said: str, where: str) -> datetime:
    """An instant, or the beginning of a day, of Chinese wall-clock time."""
    for form in MOMENTS:
        try:
            found = datetime.strptime(said.strip(), form).replace(tzinfo=CHINA)
        except ValueError:
            continue
        if YEARS[0] <= found.year <= YEARS[1]:
            return found
    raise BillError(f"{where}: no time: {said[:32]}")


def named(header: Sequence[str], row: Sequence[str], where: str) -> dict[str, str]:
    """A row by the names of its columns."""
    if len(row) < len(header):
        raise BillError(f"{where}: has {len(row)} of {len(header)} columns")
    return {name: value.strip() for name, value in zip(header, row, strict=False)}


def need(header: Iterable[str], *columns: str) -> None:
    """BillError unless all of these columns are there."""
    missing = [column for column in columns if column not in set(header)]
    if missing:
        raise BillError(f"has no column {'、'.join(missing)}")


def rows(lines: Iterable[str]) -> Iterable[list[str]]:
    """CSV as spreadsheets write it."""
    try:
        yield from csv.reader(lines, strict=True)
    except csv.Error as error:
        raise BillError(f"is no CSV: {error}") from error


def identity(row: Mapping[str, str], column: str, where: str) -> str:
    """A number that must be there."""
    found = row[column]
    if not 0 < len(found) <= LONGEST_ID:
        raise BillError(f"{where}: {column} is missing or too long")
    return found


def distinct(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The lines; BillError when two claim to be the same."""
    seen: set[tuple[str, str]] = set()
    for line in lines:
        key = line.type, line.external_id
        if key in seen:
            raise BillError(f"{line.external_id} stands there twice")
        seen.add(key)
    return tuple(lines)
