"""Values of cells that several kinds of file have in common."""

from typing import Final

from server.cli.csv.reader import BadCellError, Cells, shown

_YES: Final = frozenset({"", "yes", "true", "1"})
_NO: Final = frozenset({"no", "false", "0"})


def yes_or_no(cells: Cells, column: str) -> bool:
    """Read a yes or no; an empty cell is yes.

    Raises
    ------
    BadCellError
        It is neither.

    """
    value = cells.get(column)
    word = value.lower()
    if word not in _YES | _NO:
        raise BadCellError(f"{column} is {shown(value)}, not yes or no")
    return word in _YES
