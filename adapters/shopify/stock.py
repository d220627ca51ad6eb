"""Publishes stock and prices to a Shopify shop, and reads them back: compare-and-set, and one effect per key.

Contract: the channel's published schema, versions 2026-04 and later. That a call with ``userErrors`` has applied
nothing is inferred from its answer, which then names no adjustment. Figures marked as unverified are options.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

from adapters.contract.adapter import Adapter, Capabilities
from adapters.contract.errors import ChannelError, ClosedError, SpoiledError, UnavailableError, UnknownResultError
from adapters.contract.http import Answer, Exchange
from adapters.contract.limits import CostLeft, CostPoints
from adapters.contract.stock import Applied, Conflict, Item, Outcome, Outcomes, PriceRejected, Rejected, Retry, Unknown
from adapters.shopify.graphql import (
    READ_QUANTITIES,
    SET_PRICES,
    SET_QUANTITIES,
    TOO_BIG,
    InventoryItem,
    Options,
    Session,
    UserError,
    cost_left,
    gid,
    is_gid,
    part,
)

QUANTITY_MAX: Final = 1_000_000_000
"""Documented by the channel."""
MUTATION_POINTS: Final = 11.0
"""Measured by others on a development shop; the bucket that each answer reports corrects it."""
READ_POINTS_PER_ITEM: Final = 3.0
"""A point for each object read, by the channel's rule of thumb; corrected likewise."""
BUCKET_S: Final = 20.0
"""How many seconds of refill the bucket holds: measured by others on a development shop."""

_KEYS: Final = UUID("5f1d7a0e-53a4-4c0e-9a57-0f6d3c1b7e42")
"""The namespace of our idempotency keys."""
_NOW_KEY_IS_BUSY: Final = "IDEMPOTENCY_CONCURRENT_REQUEST"
_KEY_IS_SPENT: Final = frozenset({"IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"})
_STALE: Final = "CHANGE_FROM_QUANTITY_STALE"
_OF_THE_CHANNEL: Final = frozenset({"INVALID_LOCATION", "INVALID_NAME", "INVALID_REASON", "INVALID_REFERENCE_DOCUMENT"})
"""Codes that are about what every call carries, and so about no single item."""

NOT_A_GID: Final = Rejected("not_an_id", "the key is neither a number nor like gid://shopify/InventoryItem/123")


class Shopify(Adapter):
    """One location of one shop. Keeps nothing."""

    def __init__(self, options: Options, access_token: str) -> None:
        self._options = options
        self._session = Session(options, access_token)
        self._location = gid("Location", options.location_id)

    @property
    def capabilities(self) -> Capabilities:
        """One verdict for a whole call. Reading and writing share a bucket and so are of one group."""
        per_s = float(self._options.points_per_s)
        return Capabilities(
            items_max=self._options.items_max,
            result="whole",
            read_items_max=self._options.items_max,
            quantity_max=QUANTITY_MAX,
            takes_price=True,
            own_sale="lowers",
            limits=(CostPoints(maximum=BUCKET_S * per_s, restore_per_s=per_s),),
        )

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes]:  # noqa: ARG002  # nothing is signed
        """Set quantities in one call; then prices, product by product, of listings that name product and variant.

        A listing without the attributes ``product_id`` and ``variant_id`` keeps its price. An item counts as applied
        when both its quantity and its price are: where only the price was refused, that is its outcome, and the
        quantity stands. Put off and sent again, it is found to differ from what was last confirmed: a conflict.
        """
        outcomes: Outcomes = {item.key: NOT_A_GID for item in items if not is_gid("InventoryItem", item.key)}
        sent = [item for item in items if item.key not in outcomes]
        if not sent:
            return outcomes
        outcomes |= yield from self._set_quantities(sent)
        applied = [item for item in sent if outcomes[item.key] == Applied()]
        return outcomes | (yield from self._set_prices(applied))

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        """Read what is available at the channel's location; items that are not stocked there are left out."""
        gids = {key: gid("InventoryItem", key) for key in keys if is_gid("InventoryItem", key)}
        if not gids:
            return {}
        wanted = sorted(set(gids.values()))
        variables = {"ids": wanted, "locationId": self._location}
        answer = yield from self._session.ask(READ_QUANTITIES, variables, READ_POINTS_PER_ITEM * len(wanted))
        nodes = [node for node in part(answer, "data.nodes", list[InventoryItem | None]) if node is not None]
        levels = {node.id: node.inventory_level["quantities"] for node in nodes if node.inventory_level}
        shown = {gid: quantities[0].quantity for gid, quantities in levels.items() if quantities}
        return {key: shown[gid] for key, gid in gids.items() if gid in shown}

    def cost_left(self, answer: Answer) -> CostLeft | None:
        """Return the bucket that comes with every answer."""
        return cost_left(answer)

    # -- quantities

    def _set_quantities(self, items: Sequence[Item]) -> Exchange[Outcomes]:
        key = self._key(items)
        about = {"name": "available", "reason": "correction", "referenceDocumentUri": f"holdfast://push/{key}"}
        variables = {"input": {**about, "quantities": [self._row(item) for item in items]}, "key": key}
        answer = yield from self._session.ask(SET_QUANTITIES, variables, MUTATION_POINTS)
        errors = part(answer, "data.inventorySetQuantities.userErrors", list[UserError])
        return _verdict(items, errors) if errors else {item.key: Applied() for item in items}

    def _row(self, item: Item) -> dict[str, Any]:
        return {
            "inventoryItemId": gid("InventoryItem", item.key),
            "locationId": self._location,
            "quantity": item.quantity,
            # Required; null skips the comparison, where it is unknown what the channel shows.
            "changeFromQuantity": item.previous,
        }

    def _key(self, items: Iterable[Item]) -> str:
        """Return the idempotency key: the same while the result of a call is unknown, another after a definite answer.

        The time of the change is part of it because a value is also sent again to correct what was changed at the
        channel: that is another call, though all else about it is equal.
        """
        content = [
            (item.key, item.quantity, item.previous, item.version, item.changed_ms, item.attempt) for item in items
        ]
        return str(uuid5(_KEYS, msgspec.json.encode([self._options.shop, self._location, content]).decode()))

    # -- prices

    def _set_prices(self, items: Iterable[Item]) -> Exchange[Outcomes]:
        """Set prices; returns the outcomes of those only that were not applied."""
        outcomes: Outcomes = {}
        products = _by_product(items)
        for number, (product, priced) in enumerate(products.items()):
            try:
                outcomes |= yield from self._set_prices_of(product, priced)
            except ChannelError as error:
                unsent = [item for group in list(products.values())[number + 1 :] for item in group]
                return outcomes | _prices_cut_short(error, priced, unsent)
        return outcomes

    def _set_prices_of(self, product: str, items: Sequence[Item]) -> Exchange[Outcomes]:
        variables = {"productId": product, "variants": [_variant(item) for item in items]}
        answer = yield from self._session.ask(SET_PRICES, variables, MUTATION_POINTS)
        errors = part(answer, "data.productVariantsBulkUpdate.userErrors", list[UserError])
        if not errors:
            return {}
        rows = _rows(errors, "variants")
        beside = Retry("PRICE_NOT_APPLIED", "the price of another variant of the product was refused", after_s=0.0)
        named = {row: PriceRejected(error.name, f"price: {error.message}") for row, error in rows.items()}
        # An error that names no variant is about the product, and so about all of them.
        rest = beside if named else PriceRejected(errors[0].name, f"price: {errors[0].message}")
        return {item.key: named.get(row, rest) for row, item in enumerate(items)}


# -- requests


def _by_product(items: Iterable[Item]) -> dict[str, list[Item]]:
    products: dict[str, list[Item]] = {}
    for item in items:
        product, variant = (item.attributes.get(name) for name in ("product_id", "variant_id"))
        if item.price is not None and product and variant:
            products.setdefault(gid("Product", product), []).append(item)
    return products


def _variant(item: Item) -> dict[str, Any]:
    variant = {"id": gid("ProductVariant", item.attributes["variant_id"]), "price": item.price}
    return variant if item.list_price is None else {**variant, "compareAtPrice": item.list_price}


# -- answers


def _verdict(items: Sequence[Item], errors: Sequence[UserError]) -> Outcomes:
    """Return what a refused call means for each of its rows."""
    first, codes = errors[0], {error.code for error in errors}
    if _NOW_KEY_IS_BUSY in codes:
        return {item.key: Unknown(first.message) for item in items}
    if codes & _KEY_IS_SPENT:
        return {item.key: Retry(first.name, first.message) for item in items}
    if codes & _OF_THE_CHANNEL:
        raise ClosedError(f"{first.code}: {first.message}")
    named: dict[int, Outcome] = {
        row: Conflict() if error.code == _STALE else Rejected(error.name, error.message)
        for row, error in _rows(errors, "quantities").items()
        if row < len(items)
    }
    if not named or codes & TOO_BIG:
        raise SpoiledError(first.name, first.message)
    beside: Outcome = Retry("NOT_APPLIED", "another row of the call was refused, and with it all of them", after_s=0.0)
    return {item.key: named.get(row, beside) for row, item in enumerate(items)}


def _rows(errors: Iterable[UserError], rows: str) -> dict[int, UserError]:
    found = ((error.row(rows), error) for error in errors)
    return {row: error for row, error in found if row is not None}


def _prices_cut_short(error: ChannelError, failed: Iterable[Item], unsent: Iterable[Item]) -> Outcomes:
    # At once: these are not to blame, and the next push finds what is wrong with the channel.
    later = Retry("PRICE_NOT_SENT", f"price: {error.reason}", after_s=0.0)
    failure: Outcome = later
    if isinstance(error, UnknownResultError):
        failure = Unknown(later.reason)
    elif isinstance(error, SpoiledError | UnavailableError):
        failure = Retry(later.code, later.reason, error.after_s)
    outcomes: Outcomes = dict.fromkeys((item.key for item in failed), failure)
    return outcomes | dict.fromkeys((item.key for item in unsent), later)
