"""Odoo as a source: its free quantities are read, whole or as far as they have changed, and it is told of orders.

Changes are found by ``stock.quant``, whose ``write_date`` is moved by reserving and delivering; a product's is not.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from adapters.contract.errors import CursorRefusedError, UnavailableError
from adapters.contract.http import Exchange
from adapters.contract.source import WHOLE, SoldOrder, Source, StockPage, StockRow, Told, Untold, whole_units
from adapters.odoo.orders import SaleOrders
from adapters.odoo.wire import Database, Options, RefusedError, moment, written

LATE: Final = timedelta(minutes=10)
"""How much further than needed a walk over changes reaches back: a row is written before others can see it."""
CHANGES_MAX: Final = 1_000
"""Where more has changed, everything is read."""
STORABLE: Final = [["is_storable", "=", True]]


class _Cursor(msgspec.Struct, omit_defaults=True):
    """``since``: from which change on the next walk reads. The rest is of a walk that goes on.

    ``number``: the location in their order; ``after``: the last product that was read there; ``read``: how many were.
    """

    since: str = ""
    whole: bool = False
    number: int = 0
    after: int = 0
    read: int = 0


class _Product(msgspec.Struct):
    id: int
    free_qty: Any = None
    default_code: Any = None
    barcode: Any = None


class _Quant(msgspec.Struct):
    product_id: list[Any]
    write_date: str


class Odoo(Source):
    """One database."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        self._options = options
        self._locations = list(options.locations.items())
        self._database = Database(options, credentials)
        self._orders = SaleOrders(self._database, options)

    @property
    def locations(self) -> Collection[str]:
        """Those that have a warehouse."""
        return self._options.locations

    # -- numbers

    def pull_stock(self, cursor: str, now_s: float) -> Exchange[StockPage]:  # noqa: ARG002  # times are Odoo's own
        """Read a page of a walk over everything, or all that has changed."""
        walk = _opened(cursor)
        try:
            if cursor == WHOLE:
                newest = yield from self._quants([], limit=1)
                walk = _Cursor(since=newest[0].write_date if newest else "", whole=True)
            if walk.whole:
                return (yield from self._page(walk))
            return (yield from self._changes(walk))
        except RefusedError as error:
            raise UnavailableError(str(error)) from None

    def _page(self, walk: _Cursor) -> Exchange[StockPage]:
        limit = self._options.page_items
        products = yield from self._products(walk.number, [*STORABLE, ["id", ">", walk.after]], limit)
        rows, unreadable = self._rows(walk.number, products)
        walk.read += len(products)
        if len(products) == limit:
            walk.after = max(each.id for each in products)
        else:
            yield from self._check_count(walk.read)
            walk.number, walk.after, walk.read = walk.number + 1, 0, 0
        more = walk.number < len(self._locations)
        following = walk if more else _Cursor(since=walk.since)
        return StockPage(rows=rows, cursor=_text(following), more=more, whole=True, unreadable=unreadable)

    def _check_count(self, read: int) -> Exchange[None]:
        """Refuse a walk that is shorter than what there is: the answer was cut off, or products came meanwhile.

        Raises
        ------
        UnavailableError
            It is.

        """
        there = yield from self._database.call("product.product", "search_count", [STORABLE], int)
        if read < there:
            raise UnavailableError(f"the list of products was cut off: {read} of {there} were answered")

    def _changes(self, walk: _Cursor) -> Exchange[StockPage]:
        since = written(moment(walk.since) - LATE) if walk.since else "1970-01-01 00:00:00"
        quants = yield from self._quants([["write_date", ">=", since]], limit=CHANGES_MAX)
        if len(quants) >= CHANGES_MAX:
            raise CursorRefusedError(f"at least {CHANGES_MAX} numbers have changed")
        ids = sorted({int(each.product_id[0]) for each in quants if each.product_id})
        rows: list[StockRow] = []
        unreadable: list[str] = []
        for number in range(len(self._locations)):
            for part in _parts(ids, self._options.page_items):
                products = yield from self._products(number, [*STORABLE, ["id", "in", part]], len(part))
                found, bad = self._rows(number, products)
                rows, unreadable = [*rows, *found], [*unreadable, *bad]
        newest = max([walk.since, *(each.write_date for each in quants)])
        return StockPage(rows=rows, cursor=_text(_Cursor(since=newest)), more=False, whole=False, unreadable=unreadable)

    def _quants(self, domain: Sequence[Any], limit: int) -> Exchange[list[_Quant]]:
        return self._database.call(
            "stock.quant",
            "search_read",
            [domain],
            list[_Quant],
            fields=["product_id", "write_date"],
            limit=limit,
            order="write_date desc, id desc",
        )

    def _products(self, number: int, domain: Sequence[Any], limit: int) -> Exchange[list[_Product]]:
        return self._database.call(
            "product.product",
            "search_read",
            [domain],
            list[_Product],
            fields=[self._options.sku_is, "free_qty"],
            limit=limit,
            order="id",
            context={"warehouse_id": self._locations[number][1]},
        )

    def _rows(self, number: int, products: Iterable[_Product]) -> tuple[list[StockRow], list[str]]:
        rows: list[StockRow] = []
        unreadable: list[str] = []
        for each in products:
            sku = getattr(each, self._options.sku_is)
            if not isinstance(sku, str) or not sku:
                continue  # a product without a SKU is sold nowhere; Odoo writes false
            units = whole_units(each.free_qty)
            if units is None:
                unreadable.append(sku)
            else:
                rows.append(StockRow(sku, self._locations[number][0], units))
        return rows, unreadable

    # -- orders

    def tell(self, order: SoldOrder, now_s: float) -> Exchange[Told | Untold]:  # noqa: ARG002  # as above
        """Bring the sale orders of an order, one for each location, to what it is now."""
        for location in self._options.locations:
            try:
                yield from self._orders.bring(order, location)
            except RefusedError as error:
                return Untold(f"{location}: {error}")
        return Told()


def _opened(cursor: str) -> _Cursor:
    if cursor == WHOLE:
        return _Cursor(whole=True)
    try:
        return msgspec.json.decode(cursor, type=_Cursor)
    except msgspec.MsgspecError:
        raise CursorRefusedError("this is no cursor of a walk over numbers") from None


def _text(cursor: _Cursor) -> str:
    return msgspec.json.encode(cursor).decode()


def _parts(ids: Sequence[int], size: int) -> list[Sequence[int]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]
