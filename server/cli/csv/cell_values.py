"""Values of cells that several kinds of file have in common."""

from typing import Final

import msgspec

from server.cli.csv.reader import BadCellError, Cells, shown
from server.schemas.common import CountedAt, time_ms_of

_YES: Final = frozenset({"yes", "true", "1"})
_NO: Final = frozenset({"no", "false", "0"})


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
    word = value.lower()
    if word not in _YES | _NO:
        raise BadCellError(f"{column} is {shown(value)}, not yes or no")
    return word in _YES


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
