"""Reads a supplier's feed: all of it, or nothing. It is told of no orders, and is written to by nobody.

A feed is downloaded once and read in steps, one for each page; only once all of it was read, pages have numbers. So one
that breaks off, or is of another form, has none, and nothing else waits while a long one is read. Once it was read to
its end, its server is asked for any other version, and one that is the same still is not sent again.
"""

import re
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final
from urllib.parse import quote

from adapters.contract.errors import CursorRefusedError, UnavailableError
from adapters.contract.http import READ, Exchange, Request, check_status, excerpt
from adapters.contract.source import WHOLE, SoldOrder, Source, StockPage, StockRow, Told, Untold, whole_units
from adapters.feed.options import Options
from adapters.feed.rows import STEP_ROWS, Row, Steps, steps_of
from adapters.feed.versions import Version

ROWS_MAX: Final = 1_000_000
SKU_MAX: Final = 128
_OK: Final = 200
_NOT_MODIFIED: Final = 304
_NUMBER: Final = re.compile(r"[<>=≥≤~+\s]*(?P<units>-?\d+(?:[.,]\d+)?)\s*\+?", re.ASCII)


class Feed(Source):
    """One feed; keeps the one that is being read."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        self._options = options
        self._words = options.known_words
        self._headers = {"Accept": "*/*", **_authorization(credentials)}
        self._steps: Steps | None = None
        self._read: Iterator[tuple[str, int]] | None = None
        """What is left to be handed out of a feed that was read to its end."""
        self._number = 0
        self._version = Version()
        self._forget()

    def _forget(self) -> None:
        self._units: dict[str, int] = {}
        self._unreadable: dict[str, None] = {}
        self._rows = 0

    @property
    def locations(self) -> Collection[str]:
        """Its own location."""
        return (self._options.location,)

    @property
    def is_told(self) -> bool:
        """A feed is told of nothing."""
        return False

    def tell(self, order: SoldOrder, now_s: float) -> Exchange[Told | Untold]:  # noqa: ARG002
        """Refuse: nobody listens."""
        raise TypeError("a feed is told of nothing")

    # -- reading

    def pull_stock(self, cursor: str, now_s: float) -> Exchange[StockPage]:
        """Download the feed, read some more of it, or hand some of its numbers out."""
        if cursor == WHOLE or not cursor.isdigit():
            return (yield from self._begin(Version() if cursor == WHOLE else Version.at(cursor), now_s))
        if self._read is not None and cursor == str(self._number):
            return self._numbers(self._read)
        if self._steps is None or cursor != str(self._number):
            raise CursorRefusedError("the feed that was being read is gone")
        try:
            rows = next(self._steps, None)
        except UnavailableError:
            self._steps = None
            raise
        if rows is not None:
            self._take(rows)
            return self._page()
        self._steps = None
        if self._rows < self._options.rows_min:
            raise UnavailableError(f"it has {self._rows} rows, and at least {self._options.rows_min} are expected")
        self._read = iter(self._units.items())
        return self._page()

    def _begin(self, last: Version, now_s: float) -> Exchange[StockPage]:
        """Download the feed, unless it is the version that was last read."""
        body = yield from self._download(last, now_s)
        if body is None:
            return StockPage(rows=(), cursor=self._version.cursor, more=False, whole=False)
        self._forget()
        self._number += 1
        self._steps, self._read = steps_of(self._options, body), None
        return self._page()

    def _page(self) -> StockPage:
        return StockPage(rows=(), cursor=str(self._number), more=True, whole=True)

    def _numbers(self, left: Iterator[tuple[str, int]]) -> StockPage:
        location, some = self._options.location, list(islice(left, STEP_ROWS))
        rows = [StockRow(sku, location, self._shown(units)) for sku, units in some]
        if len(some) == STEP_ROWS:
            return StockPage(rows=rows, cursor=str(self._number), more=True, whole=True)
        unreadable, self._read = tuple(self._unreadable), None
        self._forget()
        return StockPage(rows=rows, cursor=self._version.cursor, more=False, whole=True, unreadable=unreadable)

    def _download(self, last: Version, now_s: float) -> Exchange[bytes | None]:
        """Return all of it; None: it is the ``last`` version still."""
        options, condition = self._options, last.condition
        url = options.url or f"file://{quote(options.file)}"
        headers = {**self._headers, **condition}
        answer = yield Request("GET", url, headers, group=READ, answer_bytes_max=options.bytes_max)
        is_same = bool(condition) and answer.status == _NOT_MODIFIED
        if not is_same:
            check_status(answer)
            if answer.status != _OK:
                raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        self._version = last.still(answer) if is_same else Version.of(answer)
        made_s = self._version.made_s
        if options.age_s_max and made_s is not None and now_s - made_s > options.age_s_max:
            raise UnavailableError(f"it is {(now_s - made_s) / 3600:.1f} hours old; it may be {options.age_s_max:g} s")
        return None if is_same else answer.body

    # -- its numbers

    def _take(self, rows: Sequence[Row]) -> None:
        self._rows += len(rows)
        if self._rows > ROWS_MAX:
            self._steps = None
            raise UnavailableError(f"it has more than {ROWS_MAX:,} rows")
        for row in rows:
            sku = (row.sku or "").strip()
            if not sku or len(sku) > SKU_MAX:
                continue
            units = self._units_of(row)
            is_again = sku in self._units or sku in self._unreadable
            if units is None or (is_again and self._options.repeated == "refuse"):
                self._units.pop(sku, None)
                self._unreadable[sku] = None
            elif sku not in self._unreadable:
                self._units[sku] = self._units.get(sku, 0) + units

    def _units_of(self, row: Row) -> int | None:
        """Read a quantity; None: it is none. Below zero is nothing: nobody can have it."""
        value: object = row.quantity
        if isinstance(value, str):
            text = value.strip()
            if text.casefold() in self._words:
                return self._words[text.casefold()]
            found = _NUMBER.fullmatch(text)
            other = "," if self._options.decimal == "." else "."
            if found is None or other in found["units"]:
                return None
            value = float(found["units"].replace(",", "."))
        units = whole_units(value)
        return None if units is None else max(0, units)

    def _shown(self, units: int) -> int:
        left = max(0, units - self._options.buffer)
        return left if self._options.cap is None else min(left, self._options.cap)


def _authorization(credentials: Mapping[str, str]) -> dict[str, str]:
    """Return the header that proves who reads.

    Raises
    ------
    ValueError
        The credentials are not of one kind, or not whole.

    """
    login = {name: credentials[name] for name in ("username", "password") if name in credentials}
    if "token" in credentials:
        if login:
            raise ValueError("token stands alone; leave username and password out")
        return {"Authorization": f"Bearer {credentials['token']}"}
    if not login:
        return {}
    if len(login) == 1:
        raise ValueError("username and password stand together")
    return {"Authorization": "Basic " + b64encode(f"{login['username']}:{login['password']}".encode()).decode()}
