"""Publishes stock and prices to a django-oscar shop, record by record, and reads stock back. Run against a real 4.2.

An Oscar shop counts its own open orders: what its buyers can have is ``num_in_stock − num_allocated``. So a push reads
what is allocated, writes ``num_in_stock = quantity + allocated``, and looks in the answer whether that was still so.
Where the shop sold or sent something in between, the item comes back as a :class:`Conflict` and is sent again at once.

Oscar writes a whole record where one field was changed. An order that is placed within the same milliseconds can lose
its allocation by that; the next push reads what is left and shows the right number again.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from adapters.contract.adapter import Adapter, Capabilities
from adapters.contract.errors import ChannelError, UnavailableError, UnknownResultError
from adapters.contract.http import COMMANDS, ORDERS, READ, WRITE, Answer, Exchange
from adapters.contract.limits import TokenBucket
from adapters.contract.stock import Applied, Conflict, Item, Outcome, Outcomes, PriceRejected, Rejected, Retry, Unknown
from adapters.oscar.shop import NOT_FOUND, OscarOptions, Refusal, Shop, unexpected
from adapters.oscar.stock_records import Records, StockRecord

ITEMS_MAX: Final = 20
"""Each takes two requests, so that a push ends in good time."""
QUANTITY_MAX: Final = 1_000_000_000
"""Oscar's databases take twice that, and what is allocated is added."""
_PRICE: Final = "price"


class OscarStock(Adapter):
    """The stock of one Oscar shop."""

    def __init__(self, options: OscarOptions, credentials: Mapping[str, str]) -> None:
        self._options = options
        self._shop = Shop(options, credentials["username"], credentials["password"])
        self._records = Records(options, self._shop)
        per_s, groups = options.requests_per_s, (WRITE, READ, ORDERS, COMMANDS)
        self._capabilities = Capabilities(
            items_max=ITEMS_MAX,
            read_items_max=ITEMS_MAX,
            requests_in_flight_max=2,  # a shop on SQLite writes one at a time, and others have few workers
            quantity_max=QUANTITY_MAX,
            takes_price=True,
            own_sale="subtracts",
            limits=tuple(TokenBucket(per_s=per_s, burst=max(1.0, per_s), group=group) for group in groups),
        )

    @property
    def capabilities(self) -> Capabilities:
        """Results come item by item and at once."""
        return self._capabilities

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes]:  # noqa: ARG002  # nothing is signed
        """Read each record and write it.

        An error becomes the outcome of its item once another one was answered, so that what is known is kept.
        """
        numbers = yield from self._records.numbers_of([item.key for item in items])
        outcomes: Outcomes = {}
        is_answered = False
        for position, item in enumerate(items):
            number = numbers[item.key]
            if isinstance(number, Rejected):
                outcomes[item.key] = number
                continue
            try:
                outcomes[item.key] = yield from self._tell(item, number)
            except ChannelError as error:
                if not is_answered:
                    raise
                return outcomes | _cut_short(error, item, items[position + 1 :], outcomes)
            is_answered = True
        return outcomes

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        """Read what buyers can have of each record; one that is not there is left out."""
        numbers = yield from self._records.numbers_of(keys)
        shown: dict[str, int] = {}
        for key, number in numbers.items():
            record = None if isinstance(number, Rejected) else (yield from self._records.read(number))
            if record is not None:
                shown[key] = record.shown
        return shown

    # -- writing

    def _tell(self, item: Item, number: str) -> Exchange[Outcome]:
        record = yield from self._records.read(number)
        if record is None:
            return self._gone(item.key, f"the shop has no stock record {number}")
        if record.num_in_stock is None and not (yield from self._records.is_counted(record)):
            return Rejected("not_tracked", "the shop does not count this product: see track_stock of its product class")
        stocked = item.quantity + record.allocated
        if stocked < 0:
            reason = f"the shop has allocated {record.allocated} pieces of this record: correct num_allocated there"
            return Rejected("negative_allocation", reason)
        fields: dict[str, Any] = {"num_in_stock": stocked}
        other_currency = _other_currency(item, record)
        if item.price is not None and other_currency is None:
            fields[_PRICE] = item.price
        told = yield from self._shop.change(f"/stockrecords/{number}/", fields)
        unpriced: Outcome | None = other_currency
        if isinstance(told, Refusal) and told.fields == {_PRICE}:
            unpriced = PriceRejected("price", told.reason)
            told = yield from self._shop.change(f"/stockrecords/{number}/", {"num_in_stock": stocked})
        if isinstance(told, Refusal):
            if told.status == NOT_FOUND:
                return self._gone(item.key, told.reason)
            return Rejected("refused", told.reason)
        return _compared(item, told, unpriced)

    def _gone(self, key: str, reason: str) -> Outcome:
        if self._options.key_is == "sku":
            self._records.forget(key)
            return Retry("not_found", f"{reason} (to be looked up again)")
        return Rejected("not_found", reason)


def _other_currency(item: Item, record: StockRecord) -> PriceRejected | None:
    if item.price is None or not item.currency or item.currency == record.price_currency:
        return None
    return PriceRejected("other_currency", f"the shop has this record in {record.price_currency}, not {item.currency}")


def _compared(item: Item, answer: Answer, unpriced: Outcome | None) -> Outcome:
    try:
        record = msgspec.json.decode(answer.body, type=StockRecord)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise unexpected(answer) from None
    if record.shown != item.quantity:
        return Conflict(record.shown)
    if unpriced is None and item.price is not None and record.price != Decimal(item.price):
        return PriceRejected("other_price", f"the shop answers with the price {record.price} to {item.price}")
    return unpriced or Applied()


def _cut_short(error: ChannelError, item: Item, unsent: Iterable[Item], known: Outcomes) -> Outcomes:
    """Return the outcomes of an item whose request failed, and of those that were not sent after it."""
    # At once: these are not to blame, and the next push finds what is wrong with the channel.
    later = Retry("not_sent", f"another request of this push failed: {error.reason}", after_s=0.0)
    failure: Outcome = later
    if isinstance(error, UnknownResultError):
        failure = Unknown(error.reason)
    elif isinstance(error, UnavailableError):
        failure = Retry("unavailable", error.reason, error.after_s)
    return {item.key: failure, **{each.key: later for each in unsent if each.key not in known}}
