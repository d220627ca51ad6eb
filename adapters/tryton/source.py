"""Tryton as a source: what lies in a warehouse's storage and is not assigned is read, and it is told of orders.

``quantity`` with ``stock_assign`` in the context is without what is assigned to shipments, and without what is to come.
Changes are found by ``stock.move``, whose times are of microseconds.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from adapters.contract.errors import CursorRefusedError, UnavailableError
from adapters.contract.http import Exchange
from adapters.contract.source import (
    WHOLE,
    SoldOrder,
    Source,
    StockPage,
    StockRow,
    SupplyPage,
    SupplyRow,
    Told,
    Untold,
    whole_units,
)
from adapters.tryton.shipments import Shipments
from adapters.tryton.warehouses import Warehouses
from adapters.tryton.wire import Database, Options, RefusedError, day_of, moment_for, moment_of

LATE: Final = timedelta(minutes=10)
"""How much further than needed a walk over changes reaches back: a row is written before others can see it."""
CHANGES_MAX: Final = 1_000
"""Where more has changed, everything is read."""
GOODS: Final = [["type", "=", "goods"]]
_SUPPLY_ITEMS: Final = 500


class _Cursor(msgspec.Struct, omit_defaults=True):
    """``since``: from which change on the next walk reads. The rest is of a walk that goes on.

    ``number``: the location in their order; ``after``: the last row that was read there; ``read``: how many were.
    """

    since: datetime | None = None
    whole: bool = False
    number: int = 0
    after: int = 0
    read: int = 0


class _Product(msgspec.Struct):
    id: int
    code: Any = None
    quantity: Any = None


class _Move(msgspec.Struct):
    product: int
    create_date: Any = None
    write_date: Any = None

    @property
    def changed(self) -> datetime | None:
        return moment_of(self.write_date) or moment_of(self.create_date)


class _Coming(msgspec.Struct, rename={"of": "product."}):
    id: int
    internal_quantity: float
    planned_date: Any = None
    of: Any = None


class Tryton(Source):
    """One database."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        self._options = options
        self._names = list(options.locations)
        self._database = Database(options, credentials)
        self._warehouses = Warehouses(self._database, options)
        self._shipments = Shipments(self._database, self._warehouses, options)

    @property
    def locations(self) -> Collection[str]:
        """Those that have a warehouse."""
        return self._options.locations

    @property
    def supplies(self) -> bool:
        """What suppliers are to bring is known."""
        return True

    # -- numbers

    def pull_stock(self, cursor: str, now_s: float) -> Exchange[StockPage]:  # noqa: ARG002  # times are Tryton's own
        """Read a page of a walk over everything, or all that has changed."""
        walk = _opened(cursor)
        try:
            if cursor == WHOLE:
                walk = _Cursor(since=(yield from self._newest()), whole=True)
            if walk.whole:
                return (yield from self._page(walk))
            return (yield from self._changes(walk))
        except RefusedError as error:
            raise UnavailableError(str(error)) from None

    def _page(self, walk: _Cursor) -> Exchange[StockPage]:
        limit = self._options.page_items
        products = yield from self._products(walk.number, [*GOODS, ["id", ">", walk.after]], limit)
        rows, unreadable = self._rows(walk.number, products)
        walk.read += len(products)
        if len(products) == limit:
            walk.after = max(each.id for each in products)
        else:
            yield from self._check_count(walk.read)
            walk.number, walk.after, walk.read = walk.number + 1, 0, 0
        more = walk.number < len(self._names)
        following = walk if more else _Cursor(since=walk.since)
        return StockPage(rows=rows, cursor=_text(following), more=more, whole=True, unreadable=unreadable)

    def _check_count(self, read: int) -> Exchange[None]:
        """Refuse a walk that is shorter than what there is: the answer was cut off, or products came meanwhile.

        Raises
        ------
        UnavailableError
            It is.

        """
        there = yield from self._database.call("product.product", "search_count", [GOODS], int)
        if read < there:
            raise UnavailableError(f"the list of products was cut off: {read} of {there} were answered")

    def _changes(self, walk: _Cursor) -> Exchange[StockPage]:
        domain: list[Any] = []
        if walk.since is not None:
            since = moment_for(walk.since - LATE)
            domain = ["OR", ["write_date", ">=", since], [["write_date", "=", None], ["create_date", ">=", since]]]
        moves = yield from self._moves(domain, [["id", "DESC"]], CHANGES_MAX)
        if len(moves) >= CHANGES_MAX:
            raise CursorRefusedError(f"at least {CHANGES_MAX} movements are new")
        ids = sorted({each.product for each in moves})
        rows: list[StockRow] = []
        unreadable: list[str] = []
        for number in range(len(self._names)):
            for part in _parts(ids, self._options.page_items):
                products = yield from self._products(number, [*GOODS, ["id", "in", part]], len(part))
                found, bad = self._rows(number, products)
                rows, unreadable = [*rows, *found], [*unreadable, *bad]
        times = [each for each in (walk.since, *(move.changed for move in moves)) if each is not None]
        following = _Cursor(since=max(times, default=None))
        return StockPage(rows=rows, cursor=_text(following), more=False, whole=False, unreadable=unreadable)

    def _newest(self) -> Exchange[datetime | None]:
        """Return when the newest movement was written; None: there is none."""
        written = yield from self._moves([["write_date", "!=", None]], [["write_date", "DESC"]], 1)
        made = yield from self._moves([], [["create_date", "DESC"]], 1)
        return max((at for each in (*written, *made) if (at := each.changed) is not None), default=None)

    def _moves(self, domain: Sequence[Any], order: Sequence[Any], limit: int) -> Exchange[list[_Move]]:
        fields = ["product", "create_date", "write_date"]
        return self._database.call("stock.move", "search_read", [domain, 0, limit, order, fields], list[_Move])

    def _products(self, number: int, domain: Sequence[Any], limit: int) -> Exchange[list[_Product]]:
        warehouse = yield from self._warehouses.of(self._names[number])
        context = {"locations": [warehouse.storage], "with_childs": True, "stock_assign": True}
        arguments = [domain, 0, limit, [["id", "ASC"]], ["code", "quantity"]]
        return (
            yield from self._database.call("product.product", "search_read", arguments, list[_Product], context=context)
        )

    def _rows(self, number: int, products: Iterable[_Product]) -> tuple[list[StockRow], list[str]]:
        rows: list[StockRow] = []
        unreadable: list[str] = []
        for each in products:
            if not isinstance(each.code, str) or not each.code:
                continue  # a product without a code is sold nowhere
            units = whole_units(each.quantity)
            if units is None:
                unreadable.append(each.code)
            else:
                rows.append(StockRow(each.code, self._names[number], units))
        return rows, unreadable

    # -- what is to come

    def pull_supply(self, cursor: str, now_s: float) -> Exchange[SupplyPage]:  # noqa: ARG002  # as above
        """Read a page of what suppliers are to bring; what has no day yet is left out."""
        walk = _opened(cursor)
        warehouse = yield from self._warehouses.of(self._names[walk.number])
        domain = [
            ["from_location.type", "=", "supplier"],
            ["to_location", "child_of", [warehouse.id], "parent"],
            ["state", "in", ["draft", "assigned"]],
            ["id", ">", walk.after],
        ]
        fields = ["internal_quantity", "planned_date", "product.code"]
        arguments = [domain, 0, _SUPPLY_ITEMS, [["id", "ASC"]], fields]
        try:
            found = yield from self._database.call("stock.move", "search_read", arguments, list[_Coming])
        except RefusedError as error:
            raise UnavailableError(str(error)) from None
        rows = [row for each in found if (row := self._coming(each, self._names[walk.number])) is not None]
        if len(found) == _SUPPLY_ITEMS:
            walk.after = found[-1].id
        else:
            walk.number, walk.after = walk.number + 1, 0
        return SupplyPage(rows=rows, cursor=_text(walk), more=walk.number < len(self._names))

    def _coming(self, move: _Coming, location: str) -> SupplyRow | None:
        code = move.of.get("code") if isinstance(move.of, dict) else None
        day, units = day_of(move.planned_date), whole_units(move.internal_quantity)
        if not isinstance(code, str) or not code or day is None or not units or units < 0:
            return None
        return SupplyRow(f"move-{move.id}", code, location, units, day)

    # -- orders

    def tell(self, order: SoldOrder, now_s: float) -> Exchange[Told | Untold]:  # noqa: ARG002  # as above
        """Bring the shipments of an order, one for each location, to what it is now."""
        for location in self._names:
            try:
                yield from self._shipments.bring(order, location)
            except RefusedError as error:
                return Untold(f"{location}: {error}")
        return Told()


def _opened(cursor: str) -> _Cursor:
    if cursor == WHOLE:
        return _Cursor()
    try:
        return msgspec.json.decode(cursor, type=_Cursor)
    except msgspec.MsgspecError:
        raise CursorRefusedError("this is no cursor of a walk over numbers") from None


def _text(cursor: _Cursor) -> str:
    return msgspec.json.encode(cursor).decode()


def _parts(ids: Sequence[int], size: int) -> list[Sequence[int]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]
