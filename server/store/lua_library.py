"""The Lua library: put together from ``lua/``, named after the digest of its text.

``lua/holdfast.lua`` describes its directives. The name of each function ends in the digest, so a call runs
exactly the text that this release shipped, and the libraries of two releases can live side by side on one store. The
store keeps libraries over restarts and hands them to its replicas.
"""

import re
from collections.abc import Mapping
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Final

import msgspec

from server.domain.allocations import Allocation
from server.domain.answers import LineRefusal
from server.domain.booked_orders import BookedOrder
from server.domain.changes import Change, ChangeLine
from server.domain.expected_receipt import ExpectedReceipt
from server.domain.operations import operation_types
from server.domain.operations.reservations import LineEdit, LineMapping, LineQuantity, LineRelocation, ReturnedLine
from server.domain.operations.transfers import ArrivedLine, TransferItem
from server.domain.reservation import ChannelLine, ChannelPart, OpenLines, Reservation, ReservationLine
from server.domain.stock import Availability, Backorder, StockRecord
from server.domain.transfer import Transfer, TransferLine

_INCLUDE: Final = re.compile(r"^-- @include (\S+)$", re.MULTILINE)
_FOLDER: Final = re.compile(r"^-- @(operations|functions)$", re.MULTILINE)
_SHAPES: Final = "-- @shapes\n"
_PLACE: Final = re.compile(r"\b([A-Z]\w*[a-z]\w*)\.(\w+)")
"""A field by its name: ``Record.state``. Names in capitals only (``SHAPES.extend``) are the script's own."""
_DIGEST_LENGTH: Final = 12
NOT_LOADED: Final = "Function not found"
"""The store's error for a function that it does not know. Nothing ran then."""

_RECORDS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "Record": Reservation,
    "Line": ReservationLine,
    "Open": OpenLines,
    "ChannelLine": ChannelLine,
    "ChannelPart": ChannelPart,
    "Stock": StockRecord,
    "Allocation": Allocation,
    "Backorder": Backorder,
    "Transfer": Transfer,
    "TransferLine": TransferLine,
    "Receipt": ExpectedReceipt,
    "Change": Change,
    "ChangeLine": ChangeLine,
    "Availability": Availability,
    "LineRefusal": LineRefusal,
    "LineQuantity": LineQuantity,
    "ReturnedLine": ReturnedLine,
    "LineRelocation": LineRelocation,
    "LineMapping": LineMapping,
    "LineEdit": LineEdit,
    "TransferItem": TransferItem,
    "ArrivedLine": ArrivedLine,
    "Booked": BookedOrder,
}
"""The arrays that the scripts read or write, beside the operations, by their names there; Lua counts places from 1."""


def records() -> Mapping[str, type[msgspec.Struct]]:
    """Return the classes of the arrays that the scripts read or write, by their names there."""
    return _RECORDS


class LibraryError(Exception):
    """A file in ``lua/`` names a field or an operation that no class has; a fault of this release."""


class Library:
    """The library as the store loads it: FUNCTION LOAD REPLACE ``source``."""

    def __init__(self, text: str) -> None:
        self._digest = sha1(text.encode(), usedforsecurity=False).hexdigest()[:_DIGEST_LENGTH]
        self.source = f"#!lua name=holdfast_{self._digest}\n" + text.replace("@DIGEST@", self._digest)

    def function(self, name: str) -> "Function":
        """Name one of its functions: that of ``lua/functions/<name>.lua``."""
        return Function(name, f"{name}_{self._digest}", self)


class Function:
    """A function of the library: FCALL ``call_name``."""

    def __init__(self, name: str, call_name: str, library: Library) -> None:
        self.name = name
        self.call_name = call_name
        self.library = library


def assemble() -> str:
    """Put ``lua/holdfast.lua`` together with all files that it names; fields are still written by their names."""
    text = _INCLUDE.sub(lambda include: _read(f"{include[1]}.lua"), _read("holdfast.lua"))
    return _FOLDER.sub(lambda folder: _blocks(folder[1]), text).replace(_SHAPES, _shapes())


def with_places(text: str) -> str:
    """Replace the name of each field by its place, except in comments.

    Raises
    ------
    LibraryError
        The text names a field that no record and no operation has.

    """
    return "".join(_with_places(line) for line in text.splitlines(keepends=True))


def _read(path: str) -> str:
    return files("lua").joinpath(path).read_text("utf-8")


def _blocks(folder: str) -> str:
    """Read every file of a folder, each in a block, so that its locals are its own."""
    names = sorted(entry.name for entry in files("lua").joinpath(folder).iterdir() if entry.name.endswith(".lua"))
    return "".join(f"do\n{_read(f'{folder}/{name}')}end\n" for name in names)


@cache
def _places() -> Mapping[str, Mapping[str, int]]:
    """Return the place of each field, counted from 1, of each record and each operation."""
    operations = {kind.__name__: kind.wire or kind.__struct_fields__ for kind in operation_types().values()}
    records = {name: record.__struct_fields__ for name, record in _RECORDS.items()}
    return {
        name: {field: place for place, field in enumerate(fields, 1)} for name, fields in (operations | records).items()
    }


def _with_places(line: str) -> str:
    code, dashes, comment = line.partition("--")
    return _PLACE.sub(lambda named: str(_place(named[1], named[2])), code) + dashes + comment


def _place(name: str, field: str) -> int:
    try:
        return _places()[name][field]
    except KeyError:
        raise LibraryError(f"lua/ names {name}.{field}, which no record and no operation has.") from None


def _shapes() -> str:
    """Write the table SHAPES; the tag is counted in ``length``."""
    rows = []
    for tag, kind in operation_types().items():
        places = _places()[kind.__name__]
        fields = ", ".join(f"{field} = {place}" for field, place in places.items())
        rows.append(f"  ['{tag}'] = {{length = {len(places) + 1}, {fields}}},\n")
    return "local SHAPES = {\n" + "".join(rows) + "}\n"


@cache
def library() -> Library:
    """Return the library of this release; read once in the life of the process."""
    return Library(with_places(assemble()))
