"""Publishes stock and prices to a Shopify shop, and reads them back: compare-and-set, and one effect per key.

Contract: the channel's published schema, versions 2026-04 and later. That a call with ``userErrors`` has applied
nothing is inferred from its answer, which then names no adjustment. Figures marked as unverified are options.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec

from adapters.contract.adapter import Capabilities
from adapters.contract.errors import ClosedError, SpoiledError
from adapters.contract.http import Answer, Exchange
from adapters.contract.limits import CostLeft, CostPoints
from adapters.contract.stock import Applied, Conflict, Item, Outcome, Outcomes, Rejected, Retry, Unknown
from adapters.shopify.account import Options
from adapters.shopify.graphql import (
    MUTATION_POINTS,
    READ_POINTS,
    READ_QUANTITIES,
    SET_QUANTITIES,
    TOO_BIG,
    InventoryItem,
    UserError,
    cost_left,
    gid,
    gids_in,
    is_gid,
    part,
    rows_of,
)
from adapters.shopify.orders import ShopifyOrders
from adapters.shopify.prices import set_prices

QUANTITY_MAX: Final = 1_000_000_000
"""Documented by the channel."""
BUCKET_S: Final = 20.0
"""How many seconds of refill the bucket holds: measured by others on a development shop."""

_KEYS: Final = UUID("5f1d7a0e-53a4-4c0e-9a57-0f6d3c1b7e42")
"""The namespace of our idempotency keys."""
_NOW_KEY_IS_BUSY: Final = "IDEMPOTENCY_CONCURRENT_REQUEST"
_KEY_IS_SPENT: Final = frozenset({"IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"})
_STALE: Final = frozenset({"CHANGE_FROM_QUANTITY_STALE", "COMPARE_QUANTITY_STALE"})
_OF_THE_CHANNEL: Final = frozenset({"INVALID_LOCATION", "INVALID_NAME", "INVALID_REASON", "INVALID_REFERENCE_DOCUMENT"})
"""Codes that are about what every call carries, and so about no single item."""

NOT_A_GID: Final = Rejected("not_an_id", "the key is neither a number nor like gid://shopify/InventoryItem/123")

BESIDE: Final = Retry("NOT_APPLIED", "another row of the call was refused, and with it all of them", after_s=0.0)


class Shopify(ShopifyOrders):
    """One location of one shop. Keeps nothing."""

    def __init__(self, options: Options, access_token: str, webhook_secret: str = "") -> None:
        super().__init__(options, access_token, webhook_secret)
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
            intake=self.intake(),
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
        return outcomes | (yield from set_prices(self._session, applied))

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        """Read what is available at the channel's location; items that are not stocked there are left out."""
        gids = {key: gid("InventoryItem", key) for key in keys if is_gid("InventoryItem", key)}
        if not gids:
            return {}
        shown = yield from self._shown(sorted(set(gids.values())))
        return {key: shown[gid] for key, gid in gids.items() if gid in shown}

    def _shown(self, wanted: Sequence[str]) -> Exchange[dict[str, int]]:
        """Read some ids; those that spoil the call are left out."""
        if not wanted:
            return {}
        variables = {"ids": wanted, "locationId": self._location}
        try:
            answer = yield from self._session.ask(READ_QUANTITIES, variables, READ_POINTS)
        except SpoiledError as error:
            self._check_location(error)
            named = gids_in("InventoryItem", error.reason) & set(wanted)
            if named:
                return (yield from self._shown([each for each in wanted if each not in named]))
            if len(wanted) == 1 and error.code not in TOO_BIG:
                return {}
            if len(wanted) == 1:
                raise
            middle = len(wanted) // 2
            first = yield from self._shown(wanted[:middle])
            return first | (yield from self._shown(wanted[middle:]))
        nodes = [node for node in part(answer, "data.nodes", list[InventoryItem | None]) if node is not None]
        levels = {node.id: node.inventory_level["quantities"] for node in nodes if node.inventory_level}
        return {gid: quantities[0].quantity for gid, quantities in levels.items() if quantities}

    def cost_left(self, answer: Answer) -> CostLeft | None:
        """Return the bucket that comes with every answer."""
        return cost_left(answer)

    # -- quantities

    def _set_quantities(self, items: Sequence[Item]) -> Exchange[Outcomes]:
        key = self._key(items)
        about = {"name": "available", "reason": "correction", "referenceDocumentUri": f"holdfast://push/{key}"}
        variables = {"input": {**about, "quantities": [self._row(item) for item in items]}, "key": key}
        try:
            answer = yield from self._session.ask(SET_QUANTITIES, variables, MUTATION_POINTS)
        except SpoiledError as error:
            self._check_location(error)
            return _named_apart(error, items)
        errors = part(answer, "data.inventorySetQuantities.userErrors", list[UserError])
        return _verdict(items, errors) if errors else {item.key: Applied() for item in items}

    def _check_location(self, error: SpoiledError) -> None:
        """Raise ClosedError where it is the location that the shop does not know, which every call names."""
        if self._location in gids_in("Location", error.reason):
            raise ClosedError(f"{error.reason}; look at the channel's location_id")

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
        row: Conflict() if error.code in _STALE else Rejected(error.name, error.message)
        for row, error in rows_of(errors, "quantities").items()
        if row < len(items)
    }
    if not named or codes & TOO_BIG:
        raise SpoiledError(first.name, first.message)
    return {item.key: named.get(row, BESIDE) for row, item in enumerate(items)}


def _named_apart(error: SpoiledError, items: Sequence[Item]) -> Outcomes:
    """Reject the items that a refused call names by their ids; raise where it names none."""
    ids = gids_in("InventoryItem", error.reason)
    named: Outcomes = {
        item.key: Rejected(error.code, error.reason) for item in items if gid("InventoryItem", item.key) in ids
    }
    if not named:
        raise error
    return {item.key: named.get(item.key, BESIDE) for item in items}
