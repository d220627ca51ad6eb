"""One import of a CSV file: what each kind of file declares, and what reading such a file returns."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, Protocol, TypeVar

from server.cli.csv.reader import BadCellError, BadRow, Cells, Columns, Row, Sheet
from server.service.checks import InvalidError
from server.store.command_session import OpenStore

T = TypeVar("T")


class Key(NamedTuple, Generic[T]):
    """What a file may hold once only.

    ``of`` returns the key of a value. ``conflict`` makes the reason why a row is bad, from its value and the line
    numbers of the other rows that have the same key and another value.
    """

    of: Callable[[T], Hashable]
    conflict: Callable[[T, str], str]


class CsvFile(NamedTuple, Generic[T]):
    """A file that was read.

    ``digest`` is of the file's bytes: the same file has the same digest. ``repeated`` counts the rows that equal an
    earlier one. ``other_columns`` are the columns that this kind of file does not know, as the header spells them.
    """

    digest: str
    rows: list[Row[T]]
    bad: list[BadRow]
    repeated: int
    other_columns: list[str]

    @property
    def rows_total(self) -> int:
        """How many rows the file has, without its header and empty lines."""
        return len(self.rows) + len(self.bad) + self.repeated


class Target(NamedTuple):
    """Where the rows of a file go."""

    store: OpenStore
    partition: str


@dataclass
class Tally:
    """What came of the rows so far.

    ``notes`` are facts to print below the summary, ``hints`` advice for the terminal. ``on_progress`` takes the number
    of rows that are done.
    """

    set: int = 0
    unchanged: int = 0
    refused: list[BadRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    on_progress: Callable[[int], None] = lambda _done: None

    @property
    def done(self) -> int:
        """How many rows have their result."""
        return self.set + self.unchanged + len(self.refused)

    def add(self, *, set: int = 0, unchanged: int = 0, refused: BadRow | None = None) -> None:  # noqa: A002  # the summary's word
        """Count rows that are done, and show the progress."""
        self.set += set
        self.unchanged += unchanged
        if refused is not None:
            self.refused.append(refused)
        self.on_progress(self.done)


class Put(Protocol[T]):
    """Send the rows of a file to the store, and count in the tally what came of each."""

    async def __call__(self, target: Target, file: CsvFile[T], tally: Tally) -> None:
        """Send them. A ClickException ends the command with its message."""


def ignored(names: list[str]) -> Iterable[str]:
    """Name the columns that an import does not use."""
    return [f"Ignored columns: {', '.join(names)}"] if names else []


def _no_check(_file: CsvFile[T]) -> None:
    """Accept every file."""


@dataclass(frozen=True, kw_only=True)
class CsvImport(Generic[T]):
    """A kind of CSV file.

    Parameters
    ----------
    columns
        The columns that it must have and may have.
    row
        Makes the value of a row. A BadCellError or an InvalidError makes the row a bad one.
    keys
        What the file may hold once only, checked in this order.
    put
        Sends the rows to the store.
    preview
        Counts in the tally what would come of each row, and changes nothing; None: this kind has no dry run.
    done, unchanged
        What the summary calls rows that had an effect and rows that had none; no word, no count.
    on_other_columns
        Makes the lines to print about columns that are not known.
    check
        Checks the file as a whole; a CsvError ends the command.

    """

    columns: Columns
    row: Callable[[Cells], T]
    put: Put[T]
    keys: tuple[Key[T], ...] = ()
    done: str = "set"
    unchanged: str = "unchanged"
    on_other_columns: Callable[[list[str]], Iterable[str]] = ignored
    check: Callable[[CsvFile[T]], None] = _no_check
    preview: Put[T] | None = None

    def read(self, content: bytes) -> CsvFile[T]:
        """Read a whole file. Rows that have the same key and another value are all bad.

        Raises
        ------
        CsvError
            It is not UTF-8 text, its header lacks a column or names one twice, or it breaks a rule as a whole.

        """
        sheet = Sheet(content, self.columns)
        rows, bad = sheet.rows(self._value)
        repeated = 0
        for key in self.keys:
            rows, conflicting, equal = _one_for_each(rows, key)
            bad += conflicting
            repeated += equal
        file = CsvFile(sheet.digest, rows, sorted(bad), repeated, sheet.others)
        self.check(file)
        return file

    def _value(self, cells: Cells) -> T:
        for name in self.columns.filled:
            if not cells.get(name):
                raise BadCellError(f"{name} is empty")
        try:
            return self.row(cells)
        except InvalidError as error:
            raise BadCellError(f"{error.field} {error.rule}") from None


def _one_for_each(rows: Iterable[Row[T]], key: Key[T]) -> tuple[list[Row[T]], list[BadRow], int]:
    """Keep one row for each key; return also the rows that contradict each other, and how many equal a kept one."""
    by_key: dict[Hashable, list[Row[T]]] = {}
    for row in rows:
        by_key.setdefault(key.of(row.value), []).append(row)
    kept: list[Row[T]] = []
    bad: list[BadRow] = []
    repeated = 0
    for first, *more in by_key.values():
        if all(row.value == first.value for row in more):
            kept.append(first)
            repeated += len(more)
        else:
            bad += _conflicting([first, *more], key)
    return kept, bad, repeated


def _conflicting(rows: Sequence[Row[T]], key: Key[T]) -> Iterator[BadRow]:
    for row in rows:
        others = ", ".join(str(other.line) for other in rows if other is not row)
        yield BadRow(row.line, key.conflict(row.value, others), row.text)


def only_changed(file: CsvFile[T], stored: Mapping[str, T], key: Callable[[T], str], tally: Tally) -> list[T]:
    """Return the values that the store does not hold yet, and count the others as unchanged."""
    changed = [row.value for row in file.rows if stored.get(key(row.value)) != row.value]
    tally.add(unchanged=len(file.rows) - len(changed))
    return changed


def in_pieces(values: Sequence[T], length_max: int) -> Iterator[Sequence[T]]:
    """Cut values into writes that each take some milliseconds of the store's time."""
    for first in range(0, len(values), length_max):
        yield values[first : first + length_max]
