"""Reads a CSV file of stock: which rows count what where, and which cannot be taken."""

import re
from typing import Final, NamedTuple

from server.cli.csv.reader import BadCellError, BadRow, Cells, Columns, CsvError, Sheet, shown
from server.domain.limits import DEFAULT_LOCATION, QUANTITY_MAX
from server.service.checks import InvalidError, check_location, check_sku

__all__ = ["COLUMNS", "BadRow", "CsvError", "Row", "StockFile", "read_stock_file"]

COLUMNS: Final = Columns(("sku", "on_hand"), ("location", "safety"))
_WHOLE_NUMBER: Final = re.compile(r"\+?[0-9]{1,18}", re.ASCII)


class Row(NamedTuple):
    """A count of one (SKU, location). ``safety`` None: leave it as it is. ``line`` counts from 1."""

    line: int
    sku: str
    location: str
    on_hand: int
    safety: int | None


class StockFile(NamedTuple):
    """What a file says. ``repeated`` counts rows that say again what an earlier one said.

    ``digest`` is of the file's bytes: the same file has the same digest.
    """

    digest: str
    rows: list[Row]
    bad: list[BadRow]
    repeated: int
    ignored_columns: list[str]

    @property
    def rows_total(self) -> int:
        """How many rows the file has, without its header and empty lines."""
        return len(self.rows) + len(self.bad) + self.repeated


def read_stock_file(content: bytes, location: str = DEFAULT_LOCATION) -> StockFile:
    """Read a whole file; ``location`` is that of rows which name none.

    Raises
    ------
    CsvError
        It is not UTF-8 text, or its header lacks a column or names one twice.

    """
    sheet = Sheet(content, COLUMNS)
    good, bad = sheet.sort(lambda cells: _row(cells, location))
    rows, contradictory, repeated = sheet.one_for_each(
        good,
        lambda row: (row.sku, row.location),
        lambda row: (row.on_hand, row.safety),
        lambda row, others: f"{shown(row.sku)} at {row.location} stands on line {others} too, with other figures",
    )
    return StockFile(sheet.digest, rows, sorted(bad + contradictory), repeated, sheet.others)


def _row(cells: Cells, elsewhere: str) -> Row:
    sku, location = _text("sku", cells.get("sku")), _text("location", cells.get("location") or elsewhere)
    safety = cells.get("safety")
    on_hand = _units("on_hand", cells.get("on_hand"))
    return Row(cells.line, sku, location, on_hand, _units("safety", safety) if safety else None)


def _text(name: str, value: str) -> str:
    if not value:
        raise BadCellError(f"{name} is empty")
    try:
        return check_sku(name, value) if name == "sku" else check_location(name, value)
    except InvalidError as error:
        raise BadCellError(f"{error.field} {error.rule}") from None


def _units(name: str, value: str) -> int:
    if not value:
        raise BadCellError(f"{name} is empty")
    if not _WHOLE_NUMBER.fullmatch(value):
        raise BadCellError(f"{name} is {shown(value)}, not a whole number of units (no dots, commas or minus)")
    units = int(value)
    if units > QUANTITY_MAX:
        raise BadCellError(f"{name} is {units}, more than {QUANTITY_MAX}")
    return units
