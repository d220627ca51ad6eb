"""Push stock and prices to a Shopify shop by its GraphQL Admin API: compare-and-set, and one effect per key.

Contract: the channel's published schema, versions 2026-04 and later. That a call with ``userErrors`` has applied
nothing is inferred from its answer, which then names no adjustment. Figures marked as unverified are options.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit
from uuid import UUID, uuid5

import msgspec
from msgspec import Meta

from adapters.contract.adapter import Adapter, Capabilities, Kind
from adapters.contract.errors import (
    ChannelError,
    ClosedError,
    CredentialsError,
    SpoiledError,
    ThrottledError,
    UnavailableError,
    UnknownResultError,
)
from adapters.contract.http import Answer, Exchange, Request, check_status, excerpt, json_of
from adapters.contract.limits import CostLeft, CostPoints
from adapters.contract.stock import Applied, Conflict, Item, Outcome, Outcomes, Rejected, Retry, Unknown

SET_QUANTITIES: Final = """\
mutation HoldfastSetQuantities($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id }
    userErrors { code field message }
  }
}
"""
SET_PRICES: Final = """\
mutation HoldfastSetPrices($productId: ID!, $variants: [ProductVariantsBulkInput!]!) {
  productVariantsBulkUpdate(productId: $productId, variants: $variants) {
    userErrors { code field message }
  }
}
"""
READ_QUANTITIES: Final = """\
query HoldfastReadQuantities($ids: [ID!]!, $locationId: ID!) {
  nodes(ids: $ids) {
    ... on InventoryItem {
      id
      inventoryLevel(locationId: $locationId) { quantities(names: ["available"]) { quantity } }
    }
  }
}
"""

QUANTITY_MAX: Final = 1_000_000_000
"""Documented by the channel."""
FIRST_VERSION: Final = "2026-04"
"""Before it, comparing had other names and the idempotency key was not asked for."""
MUTATION_POINTS: Final = 11.0
"""Measured by others on a development shop; the bucket that each answer reports corrects it."""
READ_POINTS_PER_ITEM: Final = 3.0
"""A point for each object read, by the channel's rule of thumb; corrected likewise."""
BUCKET_S: Final = 20.0
"""How many seconds of refill the bucket holds: measured by others on a development shop."""

T = TypeVar("T")

_KEYS: Final = UUID("5f1d7a0e-53a4-4c0e-9a57-0f6d3c1b7e42")
"""The namespace of our idempotency keys."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_FROZEN_OR_GONE: Final = (402, 404, 423)

_NOW_KEY_IS_BUSY: Final = "IDEMPOTENCY_CONCURRENT_REQUEST"
_KEY_IS_SPENT: Final = frozenset({"IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"})
_STALE: Final = "CHANGE_FROM_QUANTITY_STALE"
_TOO_BIG: Final = frozenset({"MAX_INPUT_SIZE_EXCEEDED", "MAX_COST_EXCEEDED"})
_OF_THE_CHANNEL: Final = frozenset({"INVALID_LOCATION", "INVALID_NAME", "INVALID_REASON", "INVALID_REFERENCE_DOCUMENT"})
"""Codes that are about what every call carries, so that no item is to blame."""

NOT_A_GID: Final = Rejected("not_an_id", "the key is neither a number nor like gid://shopify/InventoryItem/123")

_CALL_ERRORS: Final[dict[str, type[ChannelError]]] = {
    "ACCESS_DENIED": CredentialsError,
    "UNAUTHORIZED": CredentialsError,
    "SHOP_INACTIVE": ClosedError,
    # They may come after the change: the same key asks for the same result again.
    "INTERNAL_SERVER_ERROR": UnknownResultError,
    "TIMEOUT": UnknownResultError,
}


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in the configuration of a Shopify channel.

    ``shop`` is the name that ends in .myshopify.com; ``location_id`` the place whose stock this is, as number or gid.
    ``points_per_s`` goes with the shop's plan. ``items_max``: the channel's general limit of a list, unverified for
    this one. ``base_url`` replaces the shop's address, for a proxy.
    """

    shop: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]*\.myshopify\.com$")]
    location_id: Annotated[str, Meta(pattern=r"^(gid://shopify/Location/)?[0-9]+$")]
    api_version: Annotated[str, Meta(pattern=r"^20[0-9]{2}-(01|04|07|10)$")] = "2026-07"
    points_per_s: Literal[100, 200, 1000, 2000] = 100
    items_max: Annotated[int, Meta(ge=1, le=250)] = 250
    base_url: str = ""

    def __post_init__(self) -> None:
        if self.api_version < FIRST_VERSION:
            raise ValueError(f"api_version must be {FIRST_VERSION} or later: before it, quantities were set otherwise")
        parts = urlsplit(self.base_url or f"https://{self.shop}")
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ValueError("base_url must begin with https://; the access token travels with every request")


class Shopify(Adapter):
    """One location of one shop. Keeps nothing."""

    def __init__(self, options: Options, access_token: str) -> None:
        self._options = options
        root = (options.base_url or f"https://{options.shop}").rstrip("/")
        self._url = f"{root}/admin/api/{options.api_version}/graphql.json"
        self._headers = {"X-Shopify-Access-Token": access_token, "Content-Type": "application/json"}
        self._location = _gid("Location", options.location_id)

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
            limits=(CostPoints(maximum=BUCKET_S * per_s, restore_per_s=per_s),),
        )

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes]:  # noqa: ARG002  # nothing is signed
        """Set quantities in one call; then prices, product by product, of listings that name product and variant.

        A listing without the attributes ``product_id`` and ``variant_id`` keeps its price. An item counts as applied
        when both its quantity and its price are: where only the price was refused, the outcome says so, and the
        quantity stands. Sent again it will be found to differ from what was last confirmed, which is a conflict.
        """
        outcomes: Outcomes = {item.key: NOT_A_GID for item in items if not _is_gid("InventoryItem", item.key)}
        sent = [item for item in items if item.key not in outcomes]
        if not sent:
            return outcomes
        outcomes |= yield from self._set_quantities(sent)
        applied = [item for item in sent if outcomes[item.key] == Applied()]
        return outcomes | (yield from self._set_prices(applied))

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        """Read what is available at the channel's location; what is not stocked there is left out."""
        gids = {key: _gid("InventoryItem", key) for key in keys if _is_gid("InventoryItem", key)}
        if not gids:
            return {}
        wanted = sorted(set(gids.values()))
        variables = {"ids": wanted, "locationId": self._location}
        told = yield from self._ask(READ_QUANTITIES, variables, READ_POINTS_PER_ITEM * len(wanted))
        nodes = [node for node in _part(told, "data.nodes", list[_InventoryItem | None]) if node is not None]
        levels = {node.id: node.inventory_level["quantities"] for node in nodes if node.inventory_level}
        shown = {gid: quantities[0].quantity for gid, quantities in levels.items() if quantities}
        return {key: shown[gid] for key, gid in gids.items() if gid in shown}

    def cost_left(self, answer: Answer) -> CostLeft | None:
        """Read the bucket that comes with every answer."""
        try:
            status = _part(json_of(answer), "extensions.cost.throttleStatus", _ThrottleStatus)
        except UnavailableError:
            return None
        return CostLeft(status.currently_available, status.maximum_available, status.restore_rate)

    # -- quantities

    def _set_quantities(self, items: Sequence[Item]) -> Exchange[Outcomes]:
        key = self._key(items)
        about = {"name": "available", "reason": "correction", "referenceDocumentUri": f"holdfast://push/{key}"}
        variables = {"input": {**about, "quantities": [self._row(item) for item in items]}, "key": key}
        told = yield from self._ask(SET_QUANTITIES, variables, MUTATION_POINTS)
        errors = _part(told, "data.inventorySetQuantities.userErrors", list[_UserError])
        return _verdict(items, errors) if errors else {item.key: Applied() for item in items}

    def _row(self, item: Item) -> dict[str, Any]:
        return {
            "inventoryItemId": _gid("InventoryItem", item.key),
            "locationId": self._location,
            "quantity": item.quantity,
            # Must be there; null skips the comparison, for where nobody knows what the channel shows.
            "changeFromQuantity": item.previous,
        }

    def _key(self, items: Iterable[Item]) -> str:
        """Make the idempotency key: the same while the fate of a call is unknown, another after a definite answer.

        The time of the change is part of it because a value is also sent again to mend what somebody changed at the
        channel: that is another call, though all else about it is equal.
        """
        content = [
            (item.key, item.quantity, item.previous, item.version, item.changed_ms, item.attempt) for item in items
        ]
        return str(uuid5(_KEYS, msgspec.json.encode([self._options.shop, self._location, content]).decode()))

    # -- prices

    def _set_prices(self, items: Iterable[Item]) -> Exchange[Outcomes]:
        """Set prices; tells of those only that were not taken."""
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
        told = yield from self._ask(SET_PRICES, variables, MUTATION_POINTS)
        errors = _part(told, "data.productVariantsBulkUpdate.userErrors", list[_UserError])
        if not errors:
            return {}
        rows = _rows(errors, "variants")
        beside = Retry("PRICE_NOT_APPLIED", "the price of another variant of the product was refused", after_s=0.0)
        named = {row: Rejected(error.name, f"price: {error.message}") for row, error in rows.items()}
        # An error that names no variant is about the product, and so about all of them.
        rest = beside if named else Rejected(errors[0].name, f"price: {errors[0].message}")
        return {item.key: named.get(row, rest) for row, item in enumerate(items)}

    # -- both

    def _ask(self, document: str, variables: Mapping[str, Any], points: float) -> Exchange[Any]:
        body = msgspec.json.encode({"query": document, "variables": variables})
        answer = yield Request("POST", self._url, self._headers, body, cost=points)
        if answer.status in _FROZEN_OR_GONE:
            raise ClosedError(f"HTTP {answer.status}: {excerpt(answer.body)}")
        check_status(answer)
        told = json_of(answer)
        if isinstance(told, dict) and told.get("errors"):
            raise _call_error(told)
        return told


# -- requests


def _gid(kind: str, name: str) -> str:
    return name if name.startswith("gid://") else f"gid://shopify/{kind}/{name}"


def _is_gid(kind: str, name: str) -> bool:
    return re.fullmatch(rf"(gid://shopify/{kind}/)?[0-9]+", name) is not None


def _by_product(items: Iterable[Item]) -> dict[str, list[Item]]:
    products: dict[str, list[Item]] = {}
    for item in items:
        product, variant = (item.attributes.get(name) for name in ("product_id", "variant_id"))
        if item.price is not None and product and variant:
            products.setdefault(_gid("Product", product), []).append(item)
    return products


def _variant(item: Item) -> dict[str, Any]:
    variant = {"id": _gid("ProductVariant", item.attributes["variant_id"]), "price": item.price}
    return variant if item.list_price is None else {**variant, "compareAtPrice": item.list_price}


# -- answers


class _ThrottleStatus(msgspec.Struct, rename="camel"):
    maximum_available: float
    currently_available: float
    restore_rate: float


class _UserError(msgspec.Struct):
    message: str
    code: str | None = None
    field: list[str | int] | None = None

    @property
    def name(self) -> str:
        return self.code or "NO_CODE"

    def row(self, rows: str) -> int | None:
        """Read the number of the row from a path like ["input", "quantities", "7", "quantity"]."""
        steps = [str(step) for step in self.field or ()]
        following = steps[steps.index(rows) + 1 :] if rows in steps else []
        return int(following[0]) if following and following[0].isdecimal() else None


class _Quantity(msgspec.Struct):
    quantity: int


class _InventoryItem(msgspec.Struct, rename="camel"):
    id: str = ""
    inventory_level: dict[Literal["quantities"], list[_Quantity]] | None = None


def _part(told: Any, path: str, form: type[T]) -> T:
    """Take a part out of an answer. Raises UnavailableError where it is not there or of another form."""
    for step in path.split("."):
        told = told.get(step) if isinstance(told, dict) else None
    try:
        return msgspec.convert(told, form)
    except msgspec.ValidationError as error:
        raise UnavailableError(f"the answer's {path} is not as expected: {error}") from None


def _verdict(items: Sequence[Item], errors: Sequence[_UserError]) -> Outcomes:
    """Tell what a refused call means for each of its rows."""
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
    if not named or codes & _TOO_BIG:
        raise SpoiledError(first.name, first.message)
    beside: Outcome = Retry("NOT_APPLIED", "another row of the call was refused, and with it all of them", after_s=0.0)
    return {item.key: named.get(row, beside) for row, item in enumerate(items)}


def _rows(errors: Iterable[_UserError], rows: str) -> dict[int, _UserError]:
    found = ((error.row(rows), error) for error in errors)
    return {row: error for row, error in found if row is not None}


def _prices_cut_short(error: ChannelError, failed: Iterable[Item], unsent: Iterable[Item]) -> Outcomes:
    # At once: nothing speaks against these, and what is wrong with the channel is told as such by the next push.
    later = Retry("PRICE_NOT_SENT", f"price: {error.reason}", after_s=0.0)
    told: Outcome = later
    if isinstance(error, UnknownResultError):
        told = Unknown(later.reason)
    elif isinstance(error, SpoiledError | UnavailableError):
        told = Retry(later.code, later.reason, error.after_s)
    outcomes: Outcomes = dict.fromkeys((item.key for item in failed), told)
    return outcomes | dict.fromkeys((item.key for item in unsent), later)


def _call_error(told: Mapping[str, Any]) -> ChannelError:
    """Read errors that stand above the data: they are about the call and not about a row."""
    errors = told["errors"]
    first = errors[0] if isinstance(errors, list) and isinstance(errors[0], dict) else {"message": str(errors)}
    extensions = first.get("extensions")
    code = str(extensions.get("code") or "") if isinstance(extensions, dict) else ""
    reason = f"{code or 'error'}: {excerpt(str(first.get('message')).encode())}"
    if code == "THROTTLED":
        return ThrottledError(reason, _refilled_s(told))
    if code in _TOO_BIG or code == "INVALID_VARIABLE":
        return SpoiledError(code, reason)
    return _CALL_ERRORS.get(code, UnavailableError)(reason)


def _refilled_s(told: Mapping[str, Any]) -> float | None:
    """Reckon when the bucket holds what the refused call costs."""
    try:
        status = _part(told, "extensions.cost.throttleStatus", _ThrottleStatus)
        missing = _part(told, "extensions.cost.requestedQueryCost", float) - status.currently_available
    except UnavailableError:
        return None
    return max(0.0, missing) / status.restore_rate if status.restore_rate > 0 else None


ADAPTER: Final = Kind(
    name="shopify",
    summary="One location of a Shopify shop, by its GraphQL Admin API",
    options=Options,
    credentials=("access_token",),
    build=lambda options, credentials: Shopify(options, credentials["access_token"]),
)
