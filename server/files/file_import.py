"""One import of a file: what each kind of file declares, and what reading such a file returns."""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from server.domain.limits import REFERENCE_BYTES_MAX
from server.domain.principal import LOCAL
from server.files.preview import Preview
from server.files.reader import AS_IT_IS, BadCellError, BadRow, Cells, Columns, Reading, Row, Source
from server.files.sheet import Sheet, open_file
from server.files.wording import fitting
from server.service.checks import InvalidError
from server.store.command_session import OpenStore
from server.store.keys import Keyspace
from server.store.ledger.ledger import Ledger

T = TypeVar("T")

IN_FLIGHT: Final = 1_024
"""Rows sent and not yet answered: enough to fill the batches, and half of what a server queues."""


class ImportStoppedError(Exception):
    """A file that was read cannot be imported as a whole, or no further; the message names what to do."""


class Key(NamedTuple, Generic[T]):
    """What a file may hold once only.

    ``of`` returns the key of a value. ``conflict`` makes the reason why a row is bad, from its value and the line
    numbers of the other rows that have the same key and another value.
    """

    of: Callable[[T], Hashable]
    conflict: Callable[[T, str], str]


class ReadFile(NamedTuple, Generic[T]):
    """A file that was read.

    ``digest`` is of the file's bytes: the same file has the same digest. ``repeated`` counts the rows that equal an
    earlier one. ``other_columns`` are the columns that this kind of file does not know, as the header spells them.
    ``sheet``: the file itself.
    """

    digest: str
    rows: list[Row[T]]
    bad: list[BadRow]
    repeated: int
    other_columns: list[str]
    sheet: Sheet

    @property
    def rows_total(self) -> int:
        """How many rows the file has, without its header and empty lines."""
        return len(self.rows) + len(self.bad) + self.repeated


class Target(NamedTuple):
    """Where the rows of a file go, and who sends them.

    ``tag``: stands behind the reason of each change in the journal, which is known by it as one of this import; empty:
    none does. ``in_flight``: how many rows may wait for the store together.
    """

    store: OpenStore
    partition: str
    actor: str = LOCAL.actor
    tag: str = ""
    in_flight: int = IN_FLIGHT

    @property
    def ledger(self) -> Ledger:
        """The ledger, in the turn of who sends them."""
        ledger = self.store.ledger(self.partition)
        return ledger if self.actor == LOCAL.actor else ledger.of(self.actor)

    @property
    def keyspace(self) -> Keyspace:
        """The names of the partition's keys."""
        return Keyspace(self.partition)

    def tagged(self, reason: str) -> str:
        """Return a reason with the tag behind it, cut so that both may stand in the journal."""
        return f"{fitting(reason, REFERENCE_BYTES_MAX - len(self.tag) - 2)} #{self.tag}" if self.tag else reason


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


Stored = Sequence[bytes | None]
"""What is stored under names, as it is stored; None: nothing."""


class Keeper(NamedTuple, Generic[T]):
    """How what an import of a list replaces is found: the names that its rows are about, and what is under names.

    The names may be more than those that change.
    """

    names: Callable[[Target, ReadFile[T]], Awaitable[Sequence[str]]]
    read: Callable[[Target, Sequence[str]], Awaitable[Stored]]


class Look(Protocol[T]):
    """Find out what would come of the rows of a file, and change nothing; the tally counts rows and refusals."""

    async def __call__(self, target: Target, file: ReadFile[T], tally: Tally) -> Preview:
        """Look. An ImportStoppedError ends the import."""


class Put(Protocol[T]):
    """Send the rows of a file to the store, and count in the tally what came of each."""

    async def __call__(self, target: Target, file: ReadFile[T], tally: Tally) -> None:
        """Send them. An ImportStoppedError ends the import."""


def ignored(names: list[str]) -> Iterable[str]:
    """Name the columns that an import does not use."""
    return [f"Ignored columns: {', '.join(names)}"] if names else []


def _no_fault(_rows: Sequence[Row[T]], _reading: Reading) -> Mapping[int, str]:
    """Find nothing wrong: line -> reason."""
    return {}


def _no_check(_file: ReadFile[T]) -> None:
    """Accept every file."""


@dataclass(frozen=True, kw_only=True)
class FileImport(Generic[T]):
    """A kind of file.

    Parameters
    ----------
    name
        By which it is remembered what was said of its columns.
    columns
        The columns that it must have and may have.
    row
        Makes the value of a row. A BadCellError or an InvalidError makes the row a bad one.
    keys
        What the file may hold once only, checked in this order.
    together
        Finds rows that are bad beside the others, and why.
    put
        Sends the rows to the store.
    preview
        Finds out what would come of each row, and changes nothing.
    done, unchanged
        What the summary calls rows that had an effect and rows that had none; no word, no count.
    on_other_columns
        Makes the lines to print about columns that are not known.
    keeper
        Keeps what rows replace, so that they can be taken back; None: the journal has it.
    check
        Checks the file as a whole; a FileError refuses it.

    """

    name: str
    columns: Columns
    row: Callable[[Cells], T]
    put: Put[T]
    preview: Look[T]
    keys: tuple[Key[T], ...] = ()
    together: Callable[[Sequence[Row[T]], Reading], Mapping[int, str]] = _no_fault
    done: str = "set"
    unchanged: str = "unchanged"
    on_other_columns: Callable[[list[str]], Iterable[str]] = ignored
    check: Callable[[ReadFile[T]], None] = _no_check
    keeper: Keeper[T] | None = None

    def read(self, content: bytes | Source, reading: Reading = AS_IT_IS) -> ReadFile[T]:
        """Read a whole file. Rows that have the same key and another value are all bad.

        Raises
        ------
        FileError
            It cannot be read, its header lacks a column or names one twice, or it breaks a rule as a whole.

        """
        sheet = Sheet(open_file(content, reading) if isinstance(content, bytes) else content, self.columns, reading)
        rows, bad = sheet.rows(self._value)
        faults = self.together(rows, reading)
        bad += [BadRow(row.line, faults[row.line], row.text) for row in rows if row.line in faults]
        rows = [row for row in rows if row.line not in faults]
        repeated = 0
        for key in self.keys:
            rows, conflicting, equal = _one_for_each(rows, key)
            bad += conflicting
            repeated += equal
        file = ReadFile(sheet.source.digest, rows, sorted(bad), repeated, sheet.headings.others, sheet)
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


def only_changed(file: ReadFile[T], stored: Mapping[str, T], key: Callable[[T], str], tally: Tally) -> list[T]:
    """Return the values that the store does not hold yet, and count the others as unchanged."""
    changed = [row.value for row in file.rows if stored.get(key(row.value)) != row.value]
    tally.add(unchanged=len(file.rows) - len(changed))
    return changed


def in_pieces(values: Sequence[T], length_max: int) -> Iterator[Sequence[T]]:
    """Cut values into writes that each take some milliseconds of the store's time."""
    for first in range(0, len(values), length_max):
        yield values[first : first + length_max]
