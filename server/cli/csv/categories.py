"""Reads a CSV file of categories: which SKU is of which, and which rows cannot be taken."""

from typing import Final, NamedTuple

from server.cli.csv.reader import BadCellError, BadRow, Cells, Columns, Sheet, shown
from server.service.checks import InvalidError, check_category, check_sku

COLUMNS: Final = Columns(("sku", "category"), ())


class Row(NamedTuple):
    """A SKU and its category, empty for none; ``line`` counts from 1."""

    line: int
    sku: str
    category: str


class CategoriesFile(NamedTuple):
    """What a file says."""

    rows: list[Row]
    bad: list[BadRow]


def read_categories_file(content: bytes) -> CategoriesFile:
    """Read a whole file. A SKU that is of two categories is bad on each of its lines.

    Raises
    ------
    CsvError
        It is not UTF-8 text, or its header lacks a column or names one twice.

    """
    sheet = Sheet(content, COLUMNS)
    good, bad = sheet.sort(_row)
    rows, contradictory, _ = sheet.one_for_each(
        good,
        lambda row: row.sku,
        lambda row: row.category,
        lambda row, others: f"{shown(row.sku)} stands on line {others} too, with another category",
    )
    return CategoriesFile(rows, sorted([*bad, *contradictory]))


def _row(cells: Cells) -> Row:
    if not cells.get("sku"):
        raise BadCellError("sku is empty")
    try:
        sku = check_sku("sku", cells.get("sku"))
        category = check_category("category", cells.get("category") or None)
    except InvalidError as error:
        raise BadCellError(f"{error.field} {error.rule}") from None
    return Row(cells.line, sku, category)
