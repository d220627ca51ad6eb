"""Publishes stock and prices of offers to eMAG, up to fifty in one call, and reads the offers back.

Contract: third parties' copies of the API reference 4.4.9. Nothing of it was run against a real account. One verdict
stands for all of a call and names no offer, so that a refused call is halved. An error may come although an offer was
saved: an offer that is refused alone is read back.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from adapters.contract.adapter import Capabilities
from adapters.contract.errors import SpoiledError, UnavailableError, UnknownResultError
from adapters.contract.http import Exchange, check_status, excerpt
from adapters.contract.stock import Applied, Item, Outcome, Outcomes, PriceRejected, Rejected
from adapters.contract.warehouse import HeldUnits, Warehouse, WarehousePage
from adapters.emag.account import LIMITS, Options, Reply, reply_of
from adapters.emag.orders import EmagOrders

ITEMS_MAX: Final = 50
"""In one call; documented by the channel."""
READ_ITEMS_MAX: Final = 10_000
"""Compared at once: each further call would read all pages again."""
OFFERS_PAGE: Final = 100
OFFERS_PAGES_MAX: Final = 10_000
_PRICE_STEP: Final = Decimal("0.0001")
_BAD_REQUEST: Final = 400
_OK: Final = 200
NOT_AN_OFFER: Final = Rejected("not_an_offer", "the key is not the number of an offer")


class OfferStock(msgspec.Struct):
    """The stock of an offer in one of the seller's warehouses."""

    warehouse_id: int | str | None = None
    value: int | None = None


class OfferRow(msgspec.Struct):
    """An offer as it is shown."""

    id: int | str
    stock: list[OfferStock] | None = None
    sale_price: Any = None
    part_number: Any = None


class Emag(EmagOrders):
    """One seller's account; a listing's key is the number of its offer."""

    def __init__(self, options: Options, credentials: Mapping[str, str]) -> None:
        super().__init__(options, credentials)
        self._capabilities = Capabilities(
            items_max=ITEMS_MAX,
            result="whole",
            read_items_max=READ_ITEMS_MAX if options.read_back else 0,
            quantity_max=options.quantity_max,
            takes_price=True,
            own_sale="lowers",
            limits=LIMITS,
            intake=self.intake(),
            warehouse=Warehouse() if options.held_warehouse_id else None,
        )

    @property
    def capabilities(self) -> Capabilities:
        """What eMAG documents. Reading and writing share a limit and so are of one group."""
        return self._capabilities

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes]:  # noqa: ARG002  # unsigned
        """Save quantities, and prices that eMAG accepts; they are without VAT."""
        outcomes: Outcomes = {item.key: NOT_AN_OFFER for item in items if not _is_offer(item.key)}
        sent = [item for item in items if item.key not in outcomes]
        if not sent:
            return outcomes
        reply = yield from self._save(sent)
        if reply.is_error is False:
            return outcomes | {item.key: Applied() for item in sent}
        if len(sent) > 1:
            raise SpoiledError("refused", reply.words)
        return outcomes | {sent[0].key: (yield from self._refused(sent[0], reply.words))}

    def _save(self, items: Sequence[Item]) -> Exchange[Reply]:
        answer = yield self._session.request("offer/save", [self._row(item) for item in items])
        check_status(answer)
        reply = reply_of(answer)
        if reply is None and answer.status >= _BAD_REQUEST:
            raise SpoiledError(f"http_{answer.status}", excerpt(answer.body))
        if reply is None:
            raise UnavailableError(f"an answer of another form: {excerpt(answer.body)}")
        return reply

    def _row(self, item: Item) -> dict[str, Any]:
        stock = [{"warehouse_id": self._options.warehouse_id, "value": item.quantity}]
        price = _price(item.price)
        priced = {} if price is None else {"sale_price": msgspec.Raw(f"{price:f}".encode())}
        return {"id": int(item.key), "stock": stock, **priced}

    def _refused(self, item: Item, words: str) -> Exchange[Outcome]:
        """Say what became of an offer whose saving was answered with an error."""
        try:
            rows = yield from self._offers({"id": int(item.key), "currentPage": 1, "itemsPerPage": OFFERS_PAGE})
        except UnavailableError as error:
            raise UnknownResultError(f"refused ({words}), and not read back: {error.reason}") from None
        row = next((each for each in rows if str(each.id) == item.key), None)
        if row is None or self._shown(row) != item.quantity:
            return Rejected("refused", words)
        wanted = _price(item.price)
        return Applied() if wanted is None or _price(str(row.sale_price)) == wanted else PriceRejected("refused", words)

    # -- reading

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        """Read what is shown in the seller's warehouse, page by page until all is found."""
        if not self._options.read_back:
            raise TypeError("reading back is switched off")
        return self._read(keys)

    def _read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        missing, shown = set(keys), dict[str, int]()
        for number in range(1, OFFERS_PAGES_MAX):
            rows = yield from self._offers({"currentPage": number, "itemsPerPage": OFFERS_PAGE})
            for row in rows:
                quantity = self._shown(row)
                if str(row.id) in missing and quantity is not None:
                    missing.discard(str(row.id))
                    shown[str(row.id)] = quantity
            if len(rows) < OFFERS_PAGE or not missing:
                break
        return shown

    def pull_warehouse(self, cursor: str) -> Exchange[WarehousePage]:
        """Read a page of offers; those that eMAG holds say so by the number of its warehouse."""
        number = int(cursor or 1)
        rows = yield from self._offers({"currentPage": number, "itemsPerPage": OFFERS_PAGE})
        there = str(self._options.held_warehouse_id)
        held = [(row, each) for row in rows for each in row.stock or () if str(each.warehouse_id) == there]
        units = tuple(
            HeldUnits(str(row.id), each.value, row.part_number if isinstance(row.part_number, str) else "")
            for row, each in held
            if each.value is not None and each.value >= 0
        )
        return WarehousePage(units, str(number + 1), len(rows) >= OFFERS_PAGE, unreadable=len(held) - len(units))

    def _offers(self, query: Mapping[str, Any]) -> Exchange[list[OfferRow]]:
        try:
            answer = yield self._session.request("product_offer/read", query)
        except UnknownResultError as error:
            raise UnavailableError(f"no answer to a read: {error.reason}", error.after_s) from None
        check_status(answer)
        reply = reply_of(answer)
        if reply is None or answer.status != _OK:
            raise UnavailableError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        if reply.is_error is not False:
            raise UnavailableError(reply.words)
        try:
            return msgspec.convert(reply.results, list[OfferRow])
        except msgspec.ValidationError as error:
            raise UnavailableError(f"an answer of another form: {error}") from None

    def _shown(self, row: OfferRow) -> int | None:
        own = str(self._options.warehouse_id)
        return next((each.value for each in row.stock or () if str(each.warehouse_id) == own), None)


def _is_offer(key: str) -> bool:
    return key.isascii() and key.isdecimal() and str(int(key)) == key


def _price(text: str | None) -> Decimal | None:
    """Read a price that eMAG can take: more than nothing, with four decimals at most."""
    try:
        price = Decimal(text or "")
        return price if price > 0 and price == price.quantize(_PRICE_STEP) else None
    except InvalidOperation:
        return None
