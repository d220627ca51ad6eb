"""Values of cells that several kinds of file have in common."""

from typing import Final

import msgspec

from server.domain.gtin import is_gtin
from server.domain.limits import PACK_UNITS_MAX, QUANTITY_MAX
from server.files import numbers
from server.files.column_words import NO, YES, plain
from server.files.reader import BadCellError, Cells, shown
from server.schemas.common import CountedAt, time_ms_of

PACK_UNITS: Final = f"whole number of units from 1 to {PACK_UNITS_MAX}"


def yes_or_no(cells: Cells, column: str, *, empty: bool = True) -> bool:
    """Read a yes or no; an empty cell is ``empty``.

    Raises
    ------
    BadCellError
        It is neither.

    """
    value = cells.get(column)
    if not value:
        return empty
    word = value if value == "✓" else plain(value)
    if word not in YES | NO:
        raise BadCellError(f"{column} is {shown(value)}, not yes or no")
    return word in YES


def whole_number(cells: Cells, column: str, noun: str = "whole number") -> int:
    """Read a whole number, which may be negative.

    Raises
    ------
    BadCellError
        It is none, or may be two.

    """
    return numbers.whole_number(column, cells.get(column), cells.reading.decimal, noun=noun)


def units(cells: Cells, column: str) -> int:
    """Read units of stock. Less than none, as an ERP has it, is refused, or none where that was asked for.

    Raises
    ------
    BadCellError
        It is no number of units, or may be two.

    """
    number = whole_number(cells, column, "whole number of units")
    if number > QUANTITY_MAX:
        text = cells.get(column)
        hint = ": is it a barcode?" if is_gtin(text) else ""
        raise BadCellError(f"{column} is {text}, more than {QUANTITY_MAX}{hint}")
    if number < 0 and not cells.reading.negative_is_zero:
        raise BadCellError(
            f"{column} is {cells.get(column)}, less than none: count what is there. To take it for 0, add"
            " --negative zero"
        )
    return max(number, 0)


def pack_units(cells: Cells, column: str) -> int:
    """Read how many units one of something stands for.

    Raises
    ------
    BadCellError
        It is no such number, or may be two.

    """
    number = whole_number(cells, column, PACK_UNITS)
    if not 1 <= number <= PACK_UNITS_MAX:
        raise BadCellError(f"{column} is {shown(cells.get(column))}, not a {PACK_UNITS}")
    return number


def amount(cells: Cells, column: str) -> str:
    """Read an amount with decimals, as text with a point; empty where there is none.

    Raises
    ------
    BadCellError
        It may be two numbers.

    """
    value = cells.get(column)
    return value if cells.is_fraction(column) or not value else numbers.amount(column, value, cells.reading.decimal)


def time_ms(column: str, value: str) -> int:
    """Read a time as milliseconds since 1970.

    Raises
    ------
    BadCellError
        It is none, or does not say where in the world it is meant.

    """
    try:
        return time_ms_of(msgspec.convert(value, CountedAt))
    except msgspec.ValidationError:
        raise BadCellError(
            f"{column} is {shown(value)}, not a time with its zone, such as 2026-12-01T09:30:00+03:00"
        ) from None
