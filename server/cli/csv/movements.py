"""Reads a CSV file of movements: what each row receives, adjusts, counts or moves, and which rows cannot be taken."""

import re
from typing import Any, Final, NamedTuple

import msgspec

from server.cli.csv.reader import BadCellError, BadRow, Cells, Columns, Sheet, shown
from server.service.checks import InvalidError
from server.service.movements import MovementBody, barcode_of
from server.service.problems import of_error

COLUMNS: Final = Columns(
    ("kind", "quantity"), ("sku", "barcode", "location", "reason", "from", "to", "bucket", "safety", "supply_id")
)
_TEXTS: Final = ("sku", "barcode", "location", "from", "to", "bucket", "supply_id")
_WHOLE_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)


class Row(NamedTuple):
    """One movement; ``line`` counts from 1. ``barcode`` is empty where the SKU is named."""

    line: int
    body: MovementBody
    barcode: str
    text: str


class MovesFile(NamedTuple):
    """What a file says. ``digest`` is of its bytes: the same file has the same digest."""

    digest: str
    rows: list[Row]
    bad: list[BadRow]
    ignored_columns: list[str]

    @property
    def rows_total(self) -> int:
        """How many rows the file has, without its header and empty lines."""
        return len(self.rows) + len(self.bad)


def read_moves_file(content: bytes, reason: str) -> MovesFile:
    """Read a whole file; ``reason`` is that of rows which name none.

    Raises
    ------
    CsvError
        It is not UTF-8 text, or its header lacks a column or names one twice.

    """
    sheet = Sheet(content, COLUMNS)
    rows, bad = sheet.sort(lambda cells: _row(cells, reason, sheet))
    return MovesFile(sheet.digest, rows, bad, sheet.others)


def _row(cells: Cells, reason: str, sheet: Sheet) -> Row:
    for name in COLUMNS.required:
        if not cells.get(name):
            raise BadCellError(f"{name} is empty")
    kind = cells.get("kind").lower()
    given: dict[str, Any] = {name: value for name in _TEXTS if (value := cells.get(name))}
    given |= {"kind": kind, "reason": cells.get("reason") or reason}
    given["on_hand" if kind == "count" else "quantity"] = _number(cells, "quantity")
    if cells.get("safety"):
        given["safety"] = _number(cells, "safety")
    try:
        body: MovementBody = msgspec.convert(given, MovementBody)
        return Row(cells.line, body, barcode_of(body), sheet.text(cells.line))
    except (msgspec.ValidationError, InvalidError) as error:
        told = of_error(error)
        found = told.errors[0] if told is not None and told.errors else None
        raise BadCellError(f"{_column(found.field)} {found.rule}" if found else str(error)) from None


def _column(field: str) -> str:
    """Name the column that a field of a movement comes from."""
    return {"on_hand": "quantity", "body": "the row"}.get(field, field)


def _number(cells: Cells, name: str) -> int:
    value = cells.get(name)
    if not _WHOLE_NUMBER.fullmatch(value):
        raise BadCellError(f"{name} is {shown(value)}, not a whole number of units (no dots or commas)")
    return int(value)
