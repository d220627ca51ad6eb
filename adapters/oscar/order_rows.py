"""Orders of a django-oscar shop, as its API answers them, and the newest-first list that they stand in."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

import msgspec
from msgspec.structs import replace

from adapters.contract.errors import CursorRefusedError
from adapters.contract.orders import Unreadable
from adapters.oscar.shop import QUERY_CHARACTERS_MAX, number_at_end

LATE_MS: Final = 60_000
"""Longer than a checkout's transaction takes: its order comes into view after its time."""


class ListRow(msgspec.Struct, frozen=True):
    """What a walk needs of an order in the list. An order has no time of its last change."""

    url: str
    date_placed: datetime

    @property
    def key(self) -> str:
        """Its number in the API, which an order is read by."""
        return number_at_end(self.url)


class Place(msgspec.Struct, frozen=True):
    """An address. Oscar has its city in ``line4``."""

    first_name: str = ""
    last_name: str = ""
    line1: str = ""
    line2: str = ""
    line3: str = ""
    line4: str = ""
    state: str = ""
    postcode: str = ""
    phone_number: str | None = None
    notes: str | None = None
    country: str | None = None

    @property
    def name(self) -> str:
        """Who lives there."""
        return " ".join(filter(None, (self.first_name, self.last_name)))


class OrderRow(msgspec.Struct, frozen=True):
    """An order. ``number`` is what people call it."""

    url: str
    number: str
    status: str
    date_placed: datetime
    currency: str = ""
    total_incl_tax: str = ""
    email: str | None = None
    owner: str | None = None
    shipping_address: Place | None = None
    billing_address: Place | None = None

    @property
    def key(self) -> str:
        """Its number in the API, which it is read by."""
        return number_at_end(self.url)


class LineRow(msgspec.Struct, frozen=True):
    """A line. Its prices are of all of its pieces. The last five are there where the shop's settings add them."""

    url: str
    quantity: int
    stockrecord: str | None = None
    price_incl_tax: str | None = None
    price_excl_tax: str | None = None
    price_incl_tax_excl_discounts: str | None = None
    status: str | None = None
    shipping_status: str | None = None
    partner_sku: str | None = None
    upc: str | None = None
    title: str | None = None

    @property
    def key(self) -> str:
        """Its number."""
        return number_at_end(self.url)

    @property
    def record(self) -> str:
        """The number of the stock record that it was sold from; empty: it is gone."""
        return number_at_end(self.stockrecord or "")


class _Named(msgspec.Struct, frozen=True):
    url: str = ""


_decode_order: Final = msgspec.json.Decoder(OrderRow).decode
_decode_line: Final = msgspec.json.Decoder(LineRow).decode
_decode_listed: Final = msgspec.json.Decoder(ListRow).decode


def order_row(raw: bytes | msgspec.Raw) -> OrderRow:
    """Read an order. Raises ValueError with words that quote nothing of it."""
    row = _decode_order(raw)
    if not row.key:
        raise ValueError("its url ends with no number")
    in_ms(row.date_placed)
    return row


def line_row(raw: msgspec.Raw) -> LineRow:
    """Read a line. Raises ValueError with words that quote nothing of it."""
    row = _decode_line(raw)
    if not row.key or row.quantity < 0:
        raise ValueError("a line's url ends with no number, or its quantity is below zero")
    return row


def listed(rows: Iterable[msgspec.Raw]) -> tuple[list[ListRow], list[Unreadable]]:
    """Return the orders of a page, and those that cannot be read."""
    found, unreadable = list[ListRow](), list[Unreadable]()
    for raw in rows:
        try:
            row = _decode_listed(raw)
            in_ms(row.date_placed)
            if not row.key:
                raise ValueError("its url ends with no number")  # noqa: TRY301  # as every other fault of the row
        except ValueError as error:  # what msgspec raises is one, too
            unreadable.append(Unreadable(key=_key_of(raw), reason=str(error)))
        else:
            found.append(row)
    return found, unreadable


def _key_of(raw: msgspec.Raw) -> str:
    try:
        return number_at_end(msgspec.json.decode(raw, type=_Named).url)
    except ValueError:
        return ""


def in_ms(at: datetime) -> int:
    """Return a time in milliseconds since 1970. Raises ValueError where its zone is not said."""
    if at.tzinfo is None:
        raise ValueError("date_placed has no zone: see USE_TZ of the shop")
    return round(at.timestamp() * 1000)


# -- the walk


class Walk(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far the walks over the list have come, which is sorted by when orders were placed, the newest first.

    ``since``: all that were placed before are known. The others are of a walk that has begun: when it did, the newest
    order that it has met, and the query of its next page. What it has read counts once it has ended.
    """

    since: int
    began: int = 0
    newest: int = 0
    next: str = ""

    @property
    def cursor(self) -> str:
        """Write it as text."""
        return msgspec.json.encode(self).decode()

    def is_new(self, placed_ms: int) -> bool:
        """Whether an order is taken in: it was placed since the last walk, or shortly before."""
        return placed_ms >= self.since - LATE_MS

    def went_on(self, placed_ms: Sequence[int], following: str) -> tuple["Walk", bool]:
        """Return the walk after a page with these times, and whether it goes on at once."""
        newest = max((self.newest, *placed_ms))
        if following and following != self.next and not self._is_behind(placed_ms):
            return replace(self, newest=newest, next=following), True
        # Not in times to come: the clock of a shop can go back.
        return Walk(max(self.since, min(self.began, newest))), False

    def _is_behind(self, placed_ms: Sequence[int]) -> bool:
        """Whether a page has come to what is known: only where the list is sorted as it should be."""
        is_sorted = all(one >= other for one, other in pairwise(placed_ms))
        return is_sorted and bool(placed_ms) and not self.is_new(placed_ms[-1])


_decode_walk: Final = msgspec.json.Decoder(Walk).decode


def opened(cursor: str, now_ms: int) -> Walk:
    """Read a cursor; a walk that has ended begins anew.

    Raises
    ------
    CursorRefusedError
        It is none.

    """
    try:
        walk = _decode_walk(cursor)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        raise CursorRefusedError("this is no cursor of a walk over orders") from None
    if len(walk.next) > QUERY_CHARACTERS_MAX:
        raise CursorRefusedError("this cursor is of another walk")
    return walk if walk.began else replace(walk, began=now_ms)
