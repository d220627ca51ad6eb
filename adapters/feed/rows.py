"""The rows of a feed, a few at a time: what is read of a row are two texts, and no more than two.

A reader is an iterator over steps. Each step has the rows that it found, often none, and takes a few milliseconds, so
that whoever drives it can do other things between. A feed that breaks off raises, whatever was found before.
"""

import csv
import io
from collections.abc import Generator, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import Final, NamedTuple
from xml.parsers import expat

import ijson

from adapters.contract.errors import UnavailableError
from adapters.contract.fields import inner, text
from adapters.feed.options import Options

STEP_ROWS: Final = 1_000
STEP_BYTES: Final = 64 * 1024
TEXT_MAX: Final = 1_000
"""Characters of a field that are kept: no SKU and no number is longer."""
DEPTH_MAX: Final = 64
"""Elements within elements of an XML feed."""
TAG_BYTES_MAX: Final = 1024 * 1024
"""Of a tag or a comment that has not ended: before 2.6, expat begins it anew with each step, and 64 MB take 40 s."""
Steps = Iterator[Sequence["Row"]]


class Row(NamedTuple):
    """A row: its SKU and its quantity as they are written; None: the row has no such field."""

    sku: str | None
    quantity: str | int | float | None


def steps_of(options: Options, body: bytes) -> Steps:
    """Return a reader of a feed. It raises UnavailableError where the feed is no feed of this form, or breaks off."""
    readers = {"csv": _csv, "json": _json, "xml": _xml}
    return readers[options.format](options, body)


# -- CSV


def _csv(options: Options, body: bytes) -> Steps:
    encoding = "utf-8-sig" if options.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else options.encoding
    lines = io.TextIOWrapper(io.BytesIO(body), encoding=encoding, newline="")
    reader = csv.reader(lines, delimiter=options.delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        at = [_column(header, name) for name in (options.sku, options.quantity)]
        behind: list[str] = []  # a row is read once the next one is there: the last one may have been cut
        while some := list(islice(reader, STEP_ROWS)):
            yield [_cells(cells, at) for cells in [behind, *some[:-1]] if cells]
            behind = some[-1]
        if behind:
            yield [_last_row(options, header, behind, at, body)]
    except csv.Error as error:
        raise UnavailableError(f"line {reader.line_num}: {error}") from None
    except UnicodeDecodeError:
        raise UnavailableError(f"line {reader.line_num}: not {options.encoding}; see the option encoding") from None


def _column(header: list[str], name: str) -> int:
    if header.count(name) != 1:
        raise UnavailableError(f"it has no column {name!r}, or several: {', '.join(header)[:200] or 'it is empty'}")
    return header.index(name)


def _last_row(options: Options, header: list[str], cells: list[str], at: list[int], body: bytes) -> Row:
    """Return the last row; where its line has no end it may have been cut, and 70 be 7: then it has no number."""
    row = _cells(cells, at)
    if not options.needs_line_end or body[-4:].decode(options.encoding, "ignore").endswith(("\n", "\r")):
        return row
    if len(cells) < len(header):
        raise UnavailableError("its last row breaks off")
    return Row(row.sku, None)


def _cells(cells: list[str], at: list[int]) -> Row:
    sku, quantity = (cells[column] if column < len(cells) else None for column in at)
    return Row(sku, quantity)


# -- JSON


def _json(options: Options, body: bytes) -> Steps:
    """Read row by row, so that no step is longer for a long feed."""
    way = [name for name in options.rows.split(".") if name]
    paths = options.sku.split("."), options.quantity.split(".")
    found, has_rows = ijson.sendable_list(), False
    for _ in _sent(body, ijson.items_coro(found, ".".join([*way, "item"]))):
        has_rows = has_rows or bool(found)
        yield [_json_row(row, paths) for row in found]
        found.clear()
    if not has_rows:
        yield from _list_there(body, way)


def _sent(body: bytes, reading: Generator[None, bytes, None]) -> Iterator[None]:
    try:
        for first in range(0, len(body), STEP_BYTES):
            reading.send(body[first : first + STEP_BYTES])
            yield
        reading.close()
    except ijson.JSONError as error:
        why = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        raise UnavailableError(f"it is no JSON, or breaks off: {why.splitlines()[0]}") from None
    yield


def _list_there(body: bytes, way: Sequence[str]) -> Steps:
    """Go through a feed without rows again: its list may be empty, but it has to be there."""
    events, is_there = ijson.sendable_list(), False
    for _ in _sent(body, ijson.parse_coro(events)):
        is_there = is_there or any(prefix == ".".join(way) and kind == "start_array" for prefix, kind, _ in events)
        events.clear()
        yield ()
    if not is_there:
        raise UnavailableError(f"it has no list at {'.'.join(way)!r}" if way else "it is no list")


def _json_row(row: object, paths: tuple[list[str], list[str]]) -> Row:
    sku, quantity = (inner(row, *path) for path in paths)
    if isinstance(quantity, Decimal):  # as ijson reads what has a point or an exponent
        quantity = float(quantity)
    known = isinstance(quantity, str | int | float) and not isinstance(quantity, bool)
    return Row(text(sku), quantity if known else None)


# -- XML


def _xml(options: Options, body: bytes) -> Steps:
    found = _Elements(options)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = found.start
    parser.EndElementHandler = found.end
    parser.CharacterDataHandler = found.content
    # A document type is refused as a whole: without one there are no entities, neither of files nor of each other.
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        for first in range(0, len(body), STEP_BYTES):
            parser.Parse(body[first : first + STEP_BYTES], False)
            if first - parser.CurrentByteIndex > TAG_BYTES_MAX:
                raise UnavailableError(f"a tag or comment of it has more than {TAG_BYTES_MAX:,} bytes, or does not end")
            yield found.taken()
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise UnavailableError(f"it is no XML, or breaks off: {error}") from None
    yield found.taken()


def _refuse_doctype(*_: object) -> None:
    raise UnavailableError("it has a document type, which is refused: it could have entities")


class _Elements:
    """The rows among the elements of a document: of each, the texts of two paths."""

    def __init__(self, options: Options) -> None:
        self._row_name = options.rows
        self._wanted = options.sku, options.quantity
        self._depth = 0
        self._path: list[str] | None = None  # names from the row on; None: outside
        self._texts: dict[str, str] = {}
        self._rows: list[Row] = []

    def taken(self) -> list[Row]:
        """Return the rows since the last time."""
        rows, self._rows = self._rows, []
        return rows

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise UnavailableError(f"its elements are more than {DEPTH_MAX} deep")
        if self._path is not None:
            self._path.append(name)
        elif name == self._row_name:
            self._path, self._texts = [], {}
        if self._path is not None:
            prefix = "/".join(self._path)
            for each, value in attributes.items():
                self._add(f"{prefix}/@{each}" if prefix else f"@{each}", value)

    def content(self, text: str) -> None:
        """Take text of the element that is open."""
        if self._path:
            self._add("/".join(self._path), text)

    def end(self, _: str) -> None:
        """End an element, and with the last one the row."""
        self._depth -= 1
        if self._path is None:
            return
        if self._path:
            self._path.pop()
            return
        self._path = None
        sku, quantity = (self._texts.get(path) for path in self._wanted)
        self._rows.append(Row(sku, quantity))

    def _add(self, path: str, text: str) -> None:
        if path in self._wanted:
            self._texts[path] = (self._texts.get(path, "") + text)[:TEXT_MAX]
