"""Reads a CSV file of barcodes: which stands for how many units of which SKU, and which rows cannot be taken."""

import re
from typing import Final, NamedTuple

from server.cli.csv.reader import BadCellError, BadRow, Cells, Columns, Sheet, shown
from server.domain.limits import PACK_UNITS_MAX
from server.service.checks import InvalidError, check_barcode, check_sku
from server.store.repositories.barcodes import Pack

COLUMNS: Final = Columns(("barcode", "sku"), ("factor",))
_FACTOR: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


class Row(NamedTuple):
    """A barcode and what it stands for; ``line`` counts from 1."""

    line: int
    barcode: str
    pack: Pack


class BarcodesFile(NamedTuple):
    """What a file says. ``repeated`` counts rows that say again what an earlier one said."""

    rows: list[Row]
    bad: list[BadRow]
    repeated: int
    ignored_columns: list[str]

    @property
    def rows_total(self) -> int:
        """How many rows the file has, without its header and empty lines."""
        return len(self.rows) + len(self.bad) + self.repeated


def read_barcodes_file(content: bytes) -> BarcodesFile:
    """Read a whole file. A barcode that stands for two things is bad on each of its lines.

    Raises
    ------
    CsvError
        It is not UTF-8 text, or its header lacks a column or names one twice.

    """
    sheet = Sheet(content, COLUMNS)
    good, bad = sheet.sort(_row)
    rows, contradictory, repeated = sheet.one_for_each(
        good,
        lambda row: row.barcode,
        lambda row: row.pack,
        lambda row, others: f"{shown(row.barcode)} stands on line {others} too, for something else",
    )
    return BarcodesFile(rows, sorted([*bad, *contradictory]), repeated, sheet.others)


def _row(cells: Cells) -> Row:
    for name in COLUMNS.required:
        if not cells.get(name):
            raise BadCellError(f"{name} is empty")
    factor = cells.get("factor") or "1"
    if not _FACTOR.fullmatch(factor) or not 1 <= int(factor) <= PACK_UNITS_MAX:
        raise BadCellError(f"factor is {shown(factor)}, not a whole number of units from 1 to {PACK_UNITS_MAX}")
    try:
        barcode, sku = check_barcode("barcode", cells.get("barcode")), check_sku("sku", cells.get("sku"))
    except InvalidError as error:
        raise BadCellError(f"{error.field} {error.rule}") from None
    return Row(cells.line, barcode, Pack(sku, int(factor)))
