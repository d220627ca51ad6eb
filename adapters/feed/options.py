"""Where a feed is, how it is written, and what is taken of each number in it."""

import codecs
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Units = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One feed. It has an ``url``, or is a ``file`` of this machine.

    ``location``: where its units are counted. ``rows``: in JSON the path of the list, such as ``data.items``, empty
    where the list is all of it; in XML the name of the element that is one row. ``sku`` and ``quantity``: the columns
    of CSV; paths within a row, such as ``stock.total`` in JSON, and ``stock/total`` or ``@id`` for an attribute in XML.
    ``delimiter`` and ``encoding`` are those of CSV; with ``needs_line_end`` its last row is not read where its line has
    no end. ``decimal``: the mark before parts of a unit. ``words``: units for texts in place of a number.
    ``repeated``: whether the rows of a SKU add up; else one that is there twice is not read.

    ``buffer``: units taken off each number. ``cap``: the most that is shown of any. ``rows_min``: a feed with fewer
    rows is not whole. ``age_s_max``: an older one, by its Last-Modified or the file's time, counts as no answer; 0: any
    age will do. ``bytes_max``: a longer one is not read.
    """

    location: Annotated[str, Meta(min_length=1)]
    format: Literal["csv", "json", "xml"]
    sku: Annotated[str, Meta(min_length=1)]
    quantity: Annotated[str, Meta(min_length=1)]
    url: str = ""
    file: str = ""
    rows: str = ""
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    encoding: str = "utf-8"
    needs_line_end: bool = True
    decimal: Literal[".", ","] = "."
    words: dict[str, Units] = {}
    repeated: Literal["refuse", "sum"] = "refuse"
    buffer: Units = 0
    cap: Units | None = None
    rows_min: Annotated[int, Meta(ge=1)] = 1
    age_s_max: Annotated[float, Meta(ge=0)] = 0.0
    bytes_max: Annotated[int, Meta(ge=1, le=512 * 1024 * 1024)] = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        if bool(self.url) == bool(self.file):
            raise ValueError("url or file is needed, and not both")
        if self.url and not self.url.startswith(("https://", "http://")):
            raise ValueError("url must begin with https://, or with http:// for a host in allow_private")
        if self.file and not self.file.startswith("/"):
            raise ValueError("file must be a whole path, which begins with /")
        if self.format == "xml" and not self.rows:
            raise ValueError("rows must name the element that is one row")
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise ValueError(f"encoding {self.encoding!r} is not known, such as utf-8 or windows-1254") from None

    @property
    def known_words(self) -> Mapping[str, int]:
        """The units for texts, as they are compared: without blanks around them, in any case."""
        return {word.strip().casefold(): units for word, units in self.words.items()}
