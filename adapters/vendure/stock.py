"""Publishes stock and prices of product variants to Vendure, and reads them back. Run against a real 3.7 server.

A Vendure shop counts its own open orders: what its buyers can buy is ``stockOnHand − stockAllocated``
(seen: with 13 on hand and 3 allocated the shop sells 10 and refuses the eleventh). So a push reads ``stockAllocated``,
writes ``stockOnHand = quantity + stockAllocated``, and looks in the answer, which is read in the same transaction,
whether it was still so. Where Vendure took, shipped or cancelled an order in between, the item comes back as a
:class:`Conflict` with what is shown, and is sent again at once. What remains: an order that Vendure has allocated and
that has not yet reached Holdfast is in ``stockAllocated`` but not in ``quantity``, so a push in that time shows
the units again. Bring orders in quickly.

The shop's own ``outOfStockThreshold`` is subtracted by Vendure on top and is left alone (seen: of 10 with 3 it sells 7,
with −3 it sells 13). Stock at other stock locations of the same Vendure channel adds to what buyers can buy.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from adapters.contract.adapter import Adapter, Capabilities
from adapters.contract.errors import ClosedError, SpoiledError, UnavailableError
from adapters.contract.http import WRITE, Exchange
from adapters.contract.stock import Applied, Conflict, Item, Outcome, Outcomes, PriceRejected, Rejected, Retry
from adapters.vendure.graphql import (
    LEVELS,
    READ_ITEMS_MAX,
    SHOP,
    UPDATE,
    Level,
    LevelsAnswer,
    Session,
    ShopAnswer,
    UpdateAnswer,
    Variant,
    VendureOptions,
)

INT_MAX: Final = 2**31 - 1
"""GraphQL's Int; and Vendure keeps prices in a column of that size, though it does not check them."""
QUANTITY_MAX: Final = 1_000_000_000
"""Leaves room in an Int for the allocated units that are added."""
_NAMED_ID: Final = re.compile(r'ProductVariant with the id "([^"]*)"')
_PRICE: Final = re.compile(r"\d{1,12}(\.\d{1,12})?", re.ASCII)


class _Shop(msgspec.Struct, frozen=True):
    """What is asked once: where the stock is, and how many decimals a price has."""

    location: str
    decimals: int


class _Found(msgspec.Struct, frozen=True):
    """The variants by the listing's key, and whether the shop counts stock by default."""

    by_key: dict[str, list[Variant]]
    tracks: bool


# -- the adapter


class VendureStock(Adapter):
    """The stock of one Vendure shop. Keeps its session, and what is asked once."""

    def __init__(self, options: VendureOptions, credentials: Mapping[str, str]) -> None:
        self._options = options
        self._session = Session(options, credentials)
        self._shop: _Shop | None = None
        self._capabilities = Capabilities(
            items_max=options.items_max,
            result="whole",
            read_items_max=READ_ITEMS_MAX,
            quantity_max=QUANTITY_MAX,
            takes_price=True,
            own_sale="subtracts",
        )

    @property
    def capabilities(self) -> Capabilities:
        """One push at a time: Vendure does them one after the other, and two could lock each other out."""
        return self._capabilities

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes]:  # noqa: ARG002  # nothing is signed
        """Read what is allocated, write all in one transaction, and compare. A ``list_price`` has no place in Vendure.

        What Vendure would refuse, or accept without effect, is rejected beforehand where that can be known.
        """
        shop = yield from self._shop_facts()
        found = yield from self._find([item.key for item in items])
        outcomes: Outcomes = {}
        inputs: list[dict[str, Any]] = []
        wanted: dict[str, Item] = {}
        for item in items:
            try:
                variant = self._sellable(found, item.key)
                inputs.append(_input(variant, item, shop))
            except _NotPossibleError as error:
                outcomes[item.key] = error.outcome
            else:
                wanted[variant.id] = item
        if inputs:
            outcomes |= yield from self._update(inputs, wanted, shop)
        return outcomes

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        """Read what can be sold at our location. Below zero where the shop has oversold."""
        shop = yield from self._shop_facts()
        found = yield from self._find(keys)
        single = {key: variants[0] for key, variants in found.by_key.items() if len(variants) == 1}
        return {key: _level(single[key], shop.location).shown for key in keys if key in single}

    # -- the three queries

    def _shop_facts(self) -> Exchange[_Shop]:
        if self._shop is None:
            answer = yield from self._session.ask("shop", SHOP, {}, ShopAnswer)
            token = self._options.channel_token
            if token not in {None, answer.active_channel.get("token")}:  # Vendure silently uses the default one
                raise ClosedError("no channel of this Vendure has the channel_token that is configured")
            decimals = answer.global_settings["serverConfig"]["moneyStrategyPrecision"]
            self._shop = _Shop(self._location(answer.stock_locations["items"]), decimals)
        return self._shop

    def _location(self, there: Sequence[Mapping[str, str]]) -> str:
        ids, wanted = [location["id"] for location in there], self._options.stock_location_id
        if wanted in ids or (wanted is None and len(ids) == 1):
            return wanted or ids[0]
        names = ", ".join(f"{location['id']} ({location['name']})" for location in there) or "none"
        raise ClosedError(f"stock_location_id must name one of Vendure's stock locations, which are: {names}")

    def _find(self, keys: Sequence[str]) -> Exchange[_Found]:
        key_is = self._options.key_is
        answer = yield from self._session.ask("levels", LEVELS, {"filter": {key_is: {"in": list(keys)}}}, LevelsAnswer)
        page, by_key = answer.product_variants, dict[str, list[Variant]]()
        if page.total_items > len(page.items):
            raise UnavailableError(f"{len(page.items)} of {page.total_items} variants: raise adminListQueryLimit")
        for variant in page.items:  # some databases find an SKU in any case: those of another are nobody's
            by_key.setdefault(variant.id if key_is == "id" else variant.sku, []).append(variant)
        return _Found(by_key, answer.global_settings["trackInventory"])

    def _update(self, inputs: list[dict[str, Any]], wanted: Mapping[str, Item], shop: _Shop) -> Exchange[Outcomes]:
        try:
            answer = yield from self._session.ask("update", UPDATE, {"input": inputs}, UpdateAnswer, WRITE)
        except SpoiledError as error:
            return _named_apart(error, wanted)
        except UnavailableError:
            self._shop = None  # a stock location that was removed shows as an error of the database
            raise
        found = {variant.id: variant for variant in answer.update_product_variants}
        return {
            item.key: _compared(item, found[variant_id], shop)
            for variant_id, item in wanted.items()
            if variant_id in found
        }

    def _sellable(self, found: _Found, key: str) -> Variant:
        variants = found.by_key.get(key, [])
        if not variants:  # beforehand, because a missing one would keep all others from being written
            raise _NotPossibleError("unknown_variant", f'Vendure has no variant of {self._options.key_is} "{key}"')
        if len(variants) > 1:
            ids = ", ".join(variant.id for variant in variants)
            raise _NotPossibleError("ambiguous_sku", f'several variants in Vendure have the SKU "{key}", by id: {ids}')
        tracking = variants[0].track_inventory
        if tracking == "FALSE" or (tracking == "INHERIT" and not found.tracks):
            raise _NotPossibleError("not_tracked", "Vendure sells it without counting: see trackInventory")
        return variants[0]


class _NotPossibleError(Exception):
    """One item cannot be sent."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.outcome = Rejected(code, reason)


# -- values


def _input(variant: Variant, item: Item, shop: _Shop) -> dict[str, Any]:
    """Return an item as an ``UpdateProductVariantInput``."""
    on_hand = item.quantity + _level(variant, shop.location).stock_allocated
    level = {"stockLocationId": shop.location, "stockOnHand": on_hand}
    changed: dict[str, Any] = {"id": variant.id, "stockLevels": [level]}
    if item.price is not None:
        price = _minor_units(item.price, shop.decimals)
        changed |= {"prices": [{"currencyCode": item.currency, "price": price}]} if item.currency else {"price": price}
    return changed


def _minor_units(price: str, decimals: int) -> int:
    """Convert decimal text to the whole number that Vendure keeps; Vendure would accept fractions and negatives."""
    if not _PRICE.fullmatch(price):
        raise _NotPossibleError("invalid_price", f"{price!r} is not a price")
    units = Decimal(price).scaleb(decimals)
    if units != int(units) or units > INT_MAX:
        raise _NotPossibleError("invalid_price", f"Vendure cannot keep {price}: it has {decimals} decimals, in 32 bits")
    return int(units)


def _level(variant: Variant, location: str) -> Level:
    """Return the level at a location; a variant that was never there has none, which equals an empty one."""
    found = (level for level in variant.stock_levels if level.stock_location_id == location)
    return next(found, Level(location, 0, 0))


def _compared(item: Item, variant: Variant, shop: _Shop) -> Outcome:
    """Return the outcome by what Vendure answers that it shows now; a price that it leaves out counts as applied."""
    shown = _level(variant, shop.location).shown
    if shown != item.quantity:
        return Conflict(shown)
    prices = {price.currency_code: price.price for price in variant.prices}
    price = prices.get(item.currency or variant.currency_code)
    if item.price is None or price in (None, _minor_units(item.price, shop.decimals)):
        return Applied()
    return PriceRejected("other_price", f"Vendure answers with the price {Decimal(price).scaleb(-shop.decimals)}")


def _named_apart(error: SpoiledError, wanted: Mapping[str, Item]) -> Outcomes:
    """Reject the item that Vendure named and retry the others, which were not written; raise where it named none."""
    named = _NAMED_ID.search(error.reason)
    if named is None or named[1] not in wanted:
        raise error
    retry: Outcome = Retry(error.code, "refused together with another variant, which was gone")
    refused = {item.key: retry for item in wanted.values()}
    return refused | {wanted[named[1]].key: Rejected(error.code, error.reason)}
