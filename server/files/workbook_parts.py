"""Opens an .xlsx file within limits: its sheets, its shared texts, and which numbers of it are dates.

All parts are read as streams, and what they unpack to is counted as it comes: a small file that unpacks to a huge one
is refused before it costs memory.
"""

import io
import posixpath
import re
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sized
from typing import Any, Final, NamedTuple
from xml.parsers import expat

from server.files.reader import FileError

UNPACKED_BYTES_MAX: Final = 256 << 20
_UNPACKED_FREE: Final = 8 << 20
_UNPACKED_TIMES: Final = 100
"""How many times its size a workbook may unpack to, beside the free bytes; real ones come to ten or twenty."""
_SHEETS_MAX: Final = 256
_TEXTS_MAX: Final = 4_000_000
_STYLES_MAX: Final = 65_536
DIRECTORY_BYTES_MAX: Final = 1 << 20
"""Of the list of parts: thousands; a workbook has some tens."""
_PIECE: Final = 1 << 13
"""Bytes that are parsed at once: a fraction of a millisecond, for which other threads wait."""
_END_OF_DIRECTORY: Final = b"PK\x05\x06"
_OLD: Final = b"\xd0\xcf\x11\xe0"
"""An .xls of old, or a workbook with a password."""
_BROKEN: Final = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError, struct.error),
    *(KeyError, expat.ExpatError),
)
_DATE_FORMATS: Final = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
"""Formats that Excel knows by number alone."""
_LITERAL: Final = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
_DATE_LETTER: Final = re.compile(r"[ymdhsYMDHSğgaĞGA]")
_ZEROS: Final = re.compile("0{2,32}")
_CONTROL: Final = re.compile(r"_x(00[01][0-9A-Fa-f])_")
UNREADABLE: Final = "It cannot be read as a workbook: it is damaged. Open it in Excel, and save it again as .xlsx."

_TOO_BIG: Final = "It unpacks to more than any workbook of its size. Save the sheet alone, as “CSV UTF-8”."

Attributes = dict[str, str]


class SheetPart(NamedTuple):
    """A sheet of a workbook, and where its rows are."""

    name: str
    path: str
    is_hidden: bool


class Format(NamedTuple):
    """How numbers of a style are shown: as dates, or with zeros in front up to a width."""

    is_date: bool = False
    width: int = 0


class Package:
    """The parts of an .xlsx file, within limits.

    Raises
    ------
    FileError
        It is none, is protected by a password, or is too big.

    """

    def __init__(self, content: bytes, unpacked_bytes_max: int = UNPACKED_BYTES_MAX) -> None:
        if content.startswith(_OLD):
            raise FileError("It is an .xls file of old, or has a password. Save it as .xlsx, without a password.")
        _check_directory(content)
        self._left = min(unpacked_bytes_max, UNPACKED_BYTES_MAX, _UNPACKED_FREE + _UNPACKED_TIMES * len(content))
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except _BROKEN:
            raise FileError(UNREADABLE) from None
        self._names = {name.lower().replace("\\", "/"): name for name in self._zip.namelist()}

    def has(self, path: str) -> bool:
        """Whether there is such a part."""
        return path.lower() in self._names

    def parse(
        self,
        path: str,
        start: Callable[[str, Attributes], None],
        end: Callable[[str], None] = lambda _name: None,
        text: Callable[[str], None] | None = None,
    ) -> None:
        """Read a part as a stream of XML; names come without what stands for their dialect."""
        for _ in self.steps(path, start, end, text):
            pass

    def steps(
        self,
        path: str,
        start: Callable[[str, Attributes], None],
        end: Callable[[str], None],
        text: Callable[[str], None] | None = None,
    ) -> Iterator[None]:
        """Read a part as :meth:`parse` does, piece by piece: the caller may take what was found in between."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = lambda name, given: _begin(parser, name, given, start, end)
        parser.StartDoctypeDeclHandler = _refuse_declarations
        if text is not None:
            parser.CharacterDataHandler = text
        try:
            with self._zip.open(self._names[path.lower()]) as part:
                while piece := part.read(_PIECE):
                    self._left -= len(piece)
                    if self._left < 0:
                        raise FileError(_TOO_BIG)
                    parser.Parse(piece, False)
                    time.sleep(0)
                    yield
                parser.Parse(b"", True)
        except _BROKEN:
            raise FileError(UNREADABLE) from None
        yield


def _begin(
    parser: expat.XMLParserType,
    root: str,
    given: Attributes,
    start: Callable[[str, Attributes], None],
    end: Callable[[str], None],
) -> None:
    """Choose how elements are named, by the first one: with the prefix that this has, or as nearly always without."""
    prefix, colon, _ = root.rpartition(":")
    cut = len(prefix + colon)
    if cut:
        parser.StartElementHandler = lambda name, attributes: start(name[cut:], attributes)
        parser.EndElementHandler = lambda name: end(name[cut:])
    else:
        parser.StartElementHandler = start
        parser.EndElementHandler = end
    start(root[cut:], given)


def _refuse_declarations(*_of: Any) -> None:
    raise FileError(UNREADABLE)


def _check_directory(content: bytes) -> None:
    """Refuse a list of parts that would take memory before any of them is read."""
    at = content.rfind(_END_OF_DIRECTORY, -(1 << 16) - 22)
    if at < 0 or len(content) < at + 22:
        raise FileError(UNREADABLE)
    size = int.from_bytes(content[at + 12 : at + 16], "little")
    if size > DIRECTORY_BYTES_MAX:
        raise FileError("It has more parts than any workbook. Save it as .xlsx in Excel.")


def _check_count(found: Sized, most: int) -> None:
    if len(found) > most:
        raise FileError(_TOO_BIG)


def related(package: Package, of: str) -> dict[str, tuple[str, str]]:
    """Return the parts that a part refers to: id -> the last word of the kind, and the path."""
    folder, name = posixpath.split(of)
    path = posixpath.join(folder, "_rels", f"{name}.rels")
    found: dict[str, tuple[str, str]] = {}

    def start(tag: str, given: Attributes) -> None:
        if tag == "Relationship" and given.get("TargetMode") != "External":
            target = given.get("Target", "").replace("\\", "/")
            full = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            found[given.get("Id", "")] = (given.get("Type", "").rpartition("/")[2], full)

    if package.has(path):
        package.parse(path, start)
    return found


class Workbook(NamedTuple):
    """What a workbook says of itself."""

    sheets: list[SheetPart]
    strings: str
    styles: str
    since_1904: bool


def workbook_of(package: Package) -> Workbook:
    """Read which sheets there are.

    Raises
    ------
    FileError
        It is another kind of file.

    """
    book = next((path for kind, path in related(package, "").values() if kind == "officeDocument"), "")
    if not book or not package.has(book) or not book.lower().endswith(".xml"):
        raise FileError("It is no .xlsx file. Save it as .xlsx or as “CSV UTF-8”.")
    parts = related(package, book)
    sheets: list[SheetPart] = []
    since_1904 = False

    def start(tag: str, given: Attributes) -> None:
        nonlocal since_1904
        if tag == "sheet":
            by_id = next((value for name, value in given.items() if name.rpartition(":")[2] == "id"), "")
            kind, path = parts.get(by_id, ("", ""))
            if kind == "worksheet" and package.has(path):
                hidden = given.get("state", "visible") != "visible"
                sheets.append(SheetPart(given.get("name", ""), path, hidden))
                _check_count(sheets, _SHEETS_MAX)
        elif tag == "workbookPr":
            since_1904 = given.get("date1904", "0").lower() in {"1", "true"}

    package.parse(book, start)
    by_kind = {kind: path for kind, path in parts.values() if package.has(path)}
    return Workbook(sheets, by_kind.get("sharedStrings", ""), by_kind.get("styles", ""), since_1904)


def shared_texts(package: Package, path: str) -> list[str]:
    """Read the texts that cells refer to by number."""
    found: list[str] = []
    if not path:
        return found
    reading = Text()

    def start(tag: str, _given: Attributes) -> None:
        reading.start(tag)

    def end(tag: str) -> None:
        if tag == "si":
            found.append(reading.take())
            _check_count(found, _TEXTS_MAX)
        reading.end(tag)

    package.parse(path, start, end, reading.add)
    return found


class Text:
    """Gathers a text that may have several runs; how it is pronounced is no part of it."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._in_text = False
        self._aside = 0

    def start(self, tag: str) -> None:
        """Begin an element."""
        self._aside += tag == "rPh"
        self._in_text = tag == "t" and not self._aside

    def end(self, tag: str) -> None:
        """End an element."""
        self._aside -= tag == "rPh"
        self._in_text = False

    def add(self, piece: str) -> None:
        """Take text, if it is within a text."""
        if self._in_text:
            self._pieces.append(piece)

    def take(self) -> str:
        """Return what was gathered, and begin anew."""
        text = "".join(self._pieces)
        self._pieces.clear()
        return _CONTROL.sub(lambda code: chr(int(code[1], 16)), text) if "_x" in text else text


def formats(package: Package, path: str) -> list[Format]:
    """Read how the numbers of each style are shown."""
    codes: dict[str, str] = {}
    ids: list[str] = []
    inside = False

    def start(tag: str, given: Attributes) -> None:
        nonlocal inside
        inside = inside or tag == "cellXfs"
        if tag == "numFmt":
            codes[given.get("numFmtId", "")] = given.get("formatCode", "")
        elif tag == "xf" and inside:
            ids.append(given.get("numFmtId", "0"))
            _check_count(ids, _STYLES_MAX)

    def end(tag: str) -> None:
        nonlocal inside
        inside = inside and tag != "cellXfs"

    if path:
        package.parse(path, start, end)
    return [_format(each, codes.get(each, "")) for each in ids]


def _format(number: str, code: str) -> Format:
    if number.isdecimal() and int(number[:6]) in _DATE_FORMATS:
        return Format(is_date=True)
    if _ZEROS.fullmatch(code):
        return Format(width=len(code))
    plain = _LITERAL.sub("", code.partition(";")[0])
    is_general = plain.lower() in {"general", "standard", "genel"}
    return Format(is_date=not is_general and _DATE_LETTER.search(plain) is not None)
