"""What reading a file gives: rows that are good, rows that are bad, and the cells of one, losing none."""

from collections.abc import Iterator, Mapping
from typing import Final, Generic, Literal, NamedTuple, Protocol, Self, TypeVar

from server.files.column_words import Role, role_of
from server.files.spreadsheet_faults import spreadsheet_fault

T = TypeVar("T")

FILE_BYTES_MAX: Final = 64 << 20
ROWS_MAX: Final = 1_000_000
COLUMNS_MAX: Final = 256
CELL_CHARACTERS_MAX: Final = 32_767
"""As many as a cell of Excel has at most."""
SHOWN_CHARACTERS_MAX: Final = 60
DIGEST_BYTES: Final = 12

Odd = Literal["date", "yes_no", "fraction", "broken"]
_USABLE_AS: Final[dict[Odd, tuple[Role, ...]]] = {
    "date": ("time",),
    "yes_no": ("yes_no", "text"),
    "fraction": ("amount", "text"),
    "broken": (),
}


class FileError(Exception):
    """The file as a whole cannot be read; the message names what to change."""


class HeadingError(FileError):
    """What the columns of a file mean is not sure: what was said of an earlier one may help."""


class BadCellError(Exception):
    """A cell breaks its rule."""


class BadRow(NamedTuple):
    """A row that cannot be imported, and why."""

    line: int
    reason: str
    text: str


class Row(NamedTuple, Generic[T]):
    """A good row: the line that it starts on, counted from 1, that line as it stands there, and its value."""

    line: int
    text: str
    value: T


class Reading(NamedTuple):
    """What a person says of a file.

    ``encoding``, ``sheet``: empty, they are found. ``columns``: column -> its heading. ``ignored``: headings that do
    not matter. ``remembered``: what was said of earlier files of the kind: plain heading -> column, empty for ignored.
    ``decimal``: the mark before decimals, empty: none is known. ``negative_is_zero``: an ERP's negative stock is none.
    ``as_written``: names are meant that look as if a spreadsheet had made them.
    """

    encoding: str = ""
    sheet: str = ""
    columns: Mapping[str, str] = {}
    ignored: tuple[str, ...] = ()
    remembered: Mapping[str, str] = {}
    decimal: str = ""
    negative_is_zero: bool = False
    as_written: bool = False


AS_IT_IS: Final = Reading()


class Columns(NamedTuple):
    """The columns that a file must have, and those that it may have.

    A row must fill each required column that is not in ``may_be_empty``. ``others_count``: columns that are not known
    have a meaning, too.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    may_be_empty: tuple[str, ...] = ()
    others_count: bool = False

    @property
    def known(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.required, *self.optional)

    @property
    def filled(self) -> tuple[str, ...]:
        """Those that no row may leave empty."""
        return tuple(name for name in self.required if name not in self.may_be_empty)


class OddCell(str):
    """A cell of a workbook that is no text and no whole number. ``why``: what to do where it is not wanted."""

    __slots__ = ("kind", "why")
    kind: Odd
    why: str

    def __new__(cls, text: str, kind: Odd, why: str) -> Self:
        """Make one."""
        made = super().__new__(cls, text)
        made.kind = kind
        made.why = why
        return made


class Cells:
    """The cells of one row, by the name of the column. ``positions`` counts columns from 0."""

    def __init__(
        self, cells: list[str], positions: Mapping[str, int], others: Mapping[str, int], reading: Reading = AS_IT_IS
    ) -> None:
        self._cells = cells
        self._positions = positions
        self._others = others
        self.reading = reading

    def others(self) -> dict[str, str]:
        """Read the cells of unknown columns that are not empty, by the header's spelling.

        Raises
        ------
        BadCellError
            One is an error of a spreadsheet.

        """
        return {name: text for name, at in self._others.items() if (text := self._read(name, at, "text"))}

    def get(self, column: str) -> str:
        """Read a cell; empty where there is none.

        Raises
        ------
        BadCellError
            A spreadsheet has made of it what nobody meant.

        """
        position = self._positions.get(column)
        return "" if position is None else self._read(column, position, role_of(column))

    def is_fraction(self, column: str) -> bool:
        """Whether a workbook holds a number with decimals there: then a point stands before them."""
        position = self._positions.get(column, len(self._cells))
        value = self._cells[position] if position < len(self._cells) else ""
        return isinstance(value, OddCell) and value.kind == "fraction"

    def _read(self, column: str, position: int, role: Role) -> str:
        value = self._cells[position] if position < len(self._cells) else ""
        if isinstance(value, OddCell):
            if role not in _USABLE_AS[value.kind]:
                raise BadCellError(f"{column} {value.why}")
            return str(value)
        if value and (fault := spreadsheet_fault(value, role, as_written=self.reading.as_written)):
            raise BadCellError(f"{column} {fault}")
        return value


class Record(NamedTuple):
    """A row that is not empty: the line that it begins on, counted from 1, its cells, and how many lines it has.

    ``cells`` is empty where the line could not be split: a quotation mark is not closed.
    """

    line: int
    cells: list[str]
    lines: int = 1


class Head(NamedTuple):
    """A line that may be the header. ``separator`` is empty in a workbook."""

    line: int
    cells: list[str]
    separator: str = ""


class Source(Protocol):
    """A file whose bytes were read: text or a workbook.

    ``digest``: of the bytes and the sheet, so that the same rows have the same one. ``read_as``: its encoding or its
    sheet.
    """

    @property
    def form(self) -> Literal["csv", "xlsx"]:
        """What it is."""

    @property
    def digest(self) -> str:
        """Of the bytes, and of the sheet of a workbook."""

    @property
    def read_as(self) -> str:
        """Name the encoding, or the sheet, for people."""

    def heads(self) -> Iterator[Head]:
        """Yield each line that may be the header, in each way that it may be split, the first lines first."""

    def records(self, head: Head) -> Iterator[Record]:
        """Yield the rows below the header that are not empty."""

    def line(self, number: int) -> str:
        """Return a line as it stands in the file, for people."""


def shown(text: str) -> str:
    """Show a piece of the file in a message: what cannot be printed is escaped, what is long is cut."""
    cut = text if len(text) <= SHOWN_CHARACTERS_MAX else text[: SHOWN_CHARACTERS_MAX - 1] + "…"
    return repr(str(cut))
