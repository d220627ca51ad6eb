"""Stock records of a django-oscar shop: their form, and which of them a listing means.

The API finds no stock record by its SKU. So all products are read once, and once more where a SKU is still unknown.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from adapters.contract.http import Exchange
from adapters.contract.stock import Rejected
from adapters.oscar.shop import OscarOptions, Shop, is_number, number_at_end, unexpected

PAGE: Final = 100
PAGES_MAX: Final = 2_000
"""Of one list: a shop that repeats its last page for ever is left at some time."""
NOT_AN_ID: Final = Rejected("not_an_id", 'the key is not the number of a stock record, like "123"')


class StockRecord(msgspec.Struct, frozen=True):
    """What a partner has of a product. Buyers can have what is in stock less what is allocated to open orders."""

    url: str
    partner_sku: str = ""
    partner: str | None = None
    product: int | None = None
    price: Decimal | None = None
    price_currency: str = ""
    num_in_stock: int | None = None
    num_allocated: int | None = None

    @property
    def allocated(self) -> int:
        """How many pieces are promised to open orders."""
        return self.num_allocated or 0

    @property
    def shown(self) -> int:
        """What buyers can have; below zero where the shop has sold what was not there."""
        return (self.num_in_stock or 0) - self.allocated


class _Product(msgspec.Struct, frozen=True):
    product_class: str | None = None
    parent: int | str | None = None
    stockrecords: list[StockRecord] = []


class _ProductClass(msgspec.Struct, frozen=True):
    track_stock: bool = True


class Records:
    """The stock records of one shop. Keeps which record a SKU is, and which product classes count their stock."""

    def __init__(self, options: OscarOptions, shop: Shop) -> None:
        self._by_sku = options.key_is == "sku"
        self._partner = options.partner_id
        self._shop = shop
        self._numbers: dict[str, tuple[str, ...]] = {}
        self._keys: dict[str, str | None] = {}
        self._counted: dict[str, bool] = {}

    def numbers_of(self, keys: Sequence[str]) -> Exchange[dict[str, str | Rejected]]:
        """Return the number of the record of each key, or why it has none."""
        if not self._by_sku:
            return {key: key if is_number(key) else NOT_AN_ID for key in keys}
        if any(key not in self._numbers for key in keys):
            yield from self._look_up()
        return {key: self._single(key) for key in keys}

    def forget(self, key: str) -> None:
        """Forget which record a key is, so that it is looked up again."""
        self._numbers.pop(key, None)

    def read(self, number: str) -> Exchange[StockRecord | None]:
        """Read a record; None: there is none of this number."""
        answer = yield from self._shop.get(f"/stockrecords/{number}/")
        if answer is None:
            return None
        try:
            return msgspec.json.decode(answer.body, type=StockRecord)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise unexpected(answer) from None

    def key_of(self, number: str, sku: str) -> Exchange[str | None]:
        """Return the key under which a record is listed, empty: there is no such record; None: it is another partner's.

        ``sku``: its SKU, where that is known. Without partners and with the SKU nothing has to be asked.
        """
        if self._partner is None and (sku or not self._by_sku):
            return sku if self._by_sku else number
        if not number:
            return ""
        if number not in self._keys:
            record = yield from self.read(number)
            if record is None:
                return ""
            key = record.partner_sku if self._by_sku else number
            self._keys[number] = key if self._is_ours(record) else None
        return self._keys[number]

    def is_counted(self, record: StockRecord) -> Exchange[bool]:
        """Whether the shop counts the stock of a record's product: else it sells it whatever is in stock."""
        product: int | None = record.product
        for _ in range(2):  # a child has the class of its parent
            if product is None:
                break
            answer = yield from self._shop.get(f"/products/{product}/")
            if answer is None:
                break
            try:
                found = msgspec.json.decode(answer.body, type=_Product)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                raise unexpected(answer) from None
            if found.product_class:
                return (yield from self._is_class_counted(found.product_class))
            parent = number_at_end(str(found.parent or ""))
            product = int(parent) if parent else None
        return True

    def _is_class_counted(self, slug: str) -> Exchange[bool]:
        if slug not in self._counted:
            answer = yield from self._shop.get(f"/productclasses/{slug}/")
            try:
                is_counted = answer is None or msgspec.json.decode(answer.body, type=_ProductClass).track_stock
            except (msgspec.MsgspecError, UnicodeDecodeError):
                is_counted = True
            self._counted[slug] = is_counted
        return self._counted[slug]

    def _look_up(self) -> Exchange[None]:
        numbers: dict[str, list[str]] = {}
        query = f"limit={PAGE}"
        for _ in range(PAGES_MAX):
            page = yield from self._shop.page("/products/", query)
            for row in page.rows if page is not None else ():
                for record in _records_of(row):
                    if self._is_ours(record):
                        numbers.setdefault(record.partner_sku, []).append(number_at_end(record.url))
            if page is None or not page.next or page.next == query:
                break
            query = page.next
        self._numbers = {sku: tuple(dict.fromkeys(found)) for sku, found in numbers.items()}

    def _is_ours(self, record: StockRecord) -> bool:
        return self._partner is None or number_at_end(record.partner or "") == str(self._partner)

    def _single(self, sku: str) -> str | Rejected:
        there = self._numbers.get(sku, ())
        if len(there) == 1:
            return there[0]
        if not there:
            return Rejected("sku_not_found", f"the shop has no stock record with the SKU {sku!r}")
        ids = ", ".join(there)
        return Rejected("sku_not_unique", f"several partners have the SKU {sku!r}, in {ids}: see partner_id")


def _records_of(row: msgspec.Raw) -> list[StockRecord]:
    """Return the stock records of a product; one of another form has none."""
    try:
        return msgspec.json.decode(row, type=_Product).stockrecords
    except msgspec.ValidationError:
        return []
