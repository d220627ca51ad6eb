"""Vendure: stock and prices of product variants through the admin GraphQL API. Run against a real 3.7 server.

A Vendure shop keeps its own account of its open orders: what its buyers can have is ``stockOnHand − stockAllocated``
(seen: with 13 on hand and 3 allocated the shop sells 10 and refuses the eleventh). So a push reads ``stockAllocated``,
writes ``stockOnHand = quantity + stockAllocated``, and looks in the answer, which is read in the same transaction,
whether it was still so. Where Vendure took, shipped or cancelled an order in between, the item comes back as a
:class:`Conflict` with what is shown, and is sent again at once. What remains: an order that Vendure has allocated and
that has not yet been told to Holdfast is in ``stockAllocated`` but not in ``quantity``, so a push in that time shows
the units again. Orders should come in quickly.

The shop's own ``outOfStockThreshold`` is subtracted by Vendure on top and is left alone (seen: of 10 with 3 it sells 7,
with −3 it sells 13). What lies at other stock locations of the same Vendure channel adds to what buyers can have.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from adapters.contract.adapter import Adapter, Capabilities, Kind
from adapters.contract.errors import ChannelError, ClosedError, CredentialsError, SpoiledError, UnavailableError
from adapters.contract.http import (
    READ,
    REASON_CHARACTERS_MAX,
    WRITE,
    Answer,
    Exchange,
    Request,
    check_status,
    excerpt,
    json_of,
)
from adapters.contract.stock import Applied, Conflict, Item, Outcome, Outcomes, Rejected, Retry

T = TypeVar("T")

INT_MAX: Final = 2**31 - 1
"""GraphQL's Int; and Vendure keeps prices in a column of that size, though it does not check them."""
QUANTITY_MAX: Final = 1_000_000_000
"""So that the allocated units can be added."""
ITEMS_MAX: Final = 50
"""Vendure writes one variant after the other, seen: 10 ms and 3 more for each. More at once would gain nothing, and let
the first wait for the last."""
READ_ITEMS_MAX: Final = 300
"""With the longest keys some 80 kB: from 100 kB on Vendure answers 500 without a word, unless told otherwise."""

_LOGIN: Final = """mutation login($username: String!, $password: String!) {
  login(username: $username, password: $password, rememberMe: false) {
    __typename ... on ErrorResult { message }
  }
}"""
_SHOP: Final = """query shop {
  activeChannel { token }
  globalSettings { serverConfig { moneyStrategyPrecision } }
  stockLocations { items { id name } }
}"""
_LEVELS: Final = """query levels($filter: ProductVariantFilterParameter!) {
  globalSettings { trackInventory }
  productVariants(options: { filter: $filter }) {
    totalItems
    items { id sku trackInventory stockLevels { stockLocationId stockOnHand stockAllocated } }
  }
}"""
_UPDATE: Final = """mutation update($input: [UpdateProductVariantInput!]!) {
  updateProductVariants(input: $input) { id stockLevels { stockLocationId stockOnHand stockAllocated } }
}"""

_SIGNED_OUT: Final = ("FORBIDDEN", "UNAUTHORIZED", "UNAUTHENTICATED")
_WRONG_QUERY: Final = ("GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED")
_WRONG_ITEM: Final = ("BAD_USER_INPUT", "USER_INPUT_ERROR", "ENTITY_NOT_FOUND")
_NAMED_ID: Final = re.compile(r'ProductVariant with the id "([^"]*)"')
_PRICE: Final = re.compile(r"\d{1,12}(\.\d{1,12})?", re.ASCII)


class VendureOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``base_url`` is the admin API, as in ``https://shop.example/admin-api``.

    ``key_is``: what a listing's key is in Vendure, the variant's id or its SKU. ``stock_location_id`` is needed where
    the shop has several. ``channel_token`` chooses a Vendure channel, by default the default one. An API key (Vendure
    3.6 on) is best; a user with a password should be Holdfast's own: signing out ends all of a user's sessions.
    """

    base_url: Annotated[str, Meta(pattern=r"^https?://[^/?#@]+(/[^?#@]*)?$")]
    stock_location_id: str | None = None
    key_is: Literal["id", "sku"] = "id"
    channel_token: str | None = None
    items_max: Annotated[int, Meta(ge=1, le=READ_ITEMS_MAX)] = ITEMS_MAX


# -- what Vendure answers


class _Wire(msgspec.Struct, frozen=True, rename="camel"):
    """Part of an answer, its fields named as Vendure does."""


class _Level(_Wire, frozen=True):
    stock_location_id: str
    stock_on_hand: int
    stock_allocated: int

    @property
    def shown(self) -> int:
        return self.stock_on_hand - self.stock_allocated


class _Variant(_Wire, frozen=True):
    id: str
    stock_levels: list[_Level]
    sku: str = ""
    track_inventory: Literal["TRUE", "FALSE", "INHERIT"] = "INHERIT"


class _Page(_Wire, frozen=True):
    total_items: int
    items: list[_Variant]


class _LevelsAnswer(_Wire, frozen=True):
    global_settings: dict[str, bool]
    product_variants: _Page


class _UpdateAnswer(_Wire, frozen=True):
    update_product_variants: list[_Variant]


class _ShopAnswer(_Wire, frozen=True):
    active_channel: dict[str, str]
    global_settings: dict[str, dict[str, int]]
    stock_locations: dict[str, list[dict[str, str]]]


class _Shop(msgspec.Struct, frozen=True):
    """What is asked once: where the stock lies, and how many decimals a price has."""

    location: str
    decimals: int


class _Found(msgspec.Struct, frozen=True):
    """The variants by the listing's key, and whether the shop counts stock where a variant does not say."""

    by_key: dict[str, list[_Variant]]
    tracks: bool


# -- the adapter


class Vendure(Adapter):
    """One Vendure shop. Keeps its session's token and what it asks once."""

    def __init__(self, options: VendureOptions, credentials: Mapping[str, str]) -> None:
        self._options = options
        self._credentials = dict(credentials)
        self._token = credentials.get("token", "")
        self._can_sign_in = "username" in credentials and "password" in credentials
        if not (self._can_sign_in or self._token or "api_key" in credentials):
            raise ValueError("Vendure needs username and password, or api_key, or token")
        self._shop: _Shop | None = None
        self._capabilities = Capabilities(
            items_max=options.items_max,
            result="whole",
            read_items_max=READ_ITEMS_MAX,
            quantity_max=QUANTITY_MAX,
            takes_price=True,
        )

    @property
    def capabilities(self) -> Capabilities:
        """One push at a time: Vendure does them one after the other, and two could lock each other out."""
        return self._capabilities

    def push(self, items: Sequence[Item], now_s: float) -> Exchange[Outcomes]:  # noqa: ARG002  # nothing is signed
        """Read what is allocated, write all in one transaction, and compare. A ``list_price`` has no place in Vendure.

        What Vendure would refuse, or take without effect, is told apart beforehand where that can be known.
        """
        shop = yield from self._asked_once()
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
            outcomes |= yield from self._update(inputs, wanted, shop.location)
        return outcomes

    def read(self, keys: Sequence[str]) -> Exchange[dict[str, int]]:
        """Read what can be sold, at our location. Below zero where the shop has sold what was not there."""
        shop = yield from self._asked_once()
        found = yield from self._find(keys)
        single = {key: variants[0] for key, variants in found.by_key.items() if len(variants) == 1}
        return {key: _level(single[key], shop.location).shown for key in keys if key in single}

    # -- the three questions

    def _asked_once(self) -> Exchange[_Shop]:
        if self._shop is None:
            answer = yield from self._ask("shop", _SHOP, {}, _ShopAnswer)
            token = self._options.channel_token
            if token not in {None, answer.active_channel.get("token")}:  # Vendure silently takes the default one
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
        answer = yield from self._ask("levels", _LEVELS, {"filter": {key_is: {"in": list(keys)}}}, _LevelsAnswer)
        page, by_key = answer.product_variants, dict[str, list[_Variant]]()
        if page.total_items > len(page.items):
            raise UnavailableError(f"{len(page.items)} of {page.total_items} variants: raise adminListQueryLimit")
        for variant in page.items:
            by_key.setdefault(variant.id if key_is == "id" else variant.sku, []).append(variant)
        return _Found(by_key, answer.global_settings["trackInventory"])

    def _update(self, inputs: list[dict[str, Any]], wanted: Mapping[str, Item], location: str) -> Exchange[Outcomes]:
        try:
            answer = yield from self._ask("update", _UPDATE, {"input": inputs}, _UpdateAnswer, WRITE)
        except SpoiledError as error:
            return _told_by_name(error, wanted)
        except UnavailableError:
            self._shop = None  # without the stock location the database complains, in words of its own
            raise
        shown = {variant.id: _level(variant, location).shown for variant in answer.update_product_variants}
        return {
            item.key: Applied() if shown[variant_id] == item.quantity else Conflict(shown[variant_id])
            for variant_id, item in wanted.items()
            if variant_id in shown
        }

    def _sellable(self, found: _Found, key: str) -> _Variant:
        variants = found.by_key.get(key, [])
        if not variants:  # beforehand, because one that is not there would keep all others from being written
            raise _NotPossibleError("unknown_variant", f'Vendure has no variant of {self._options.key_is} "{key}"')
        if len(variants) > 1:
            ids = ", ".join(variant.id for variant in variants)
            raise _NotPossibleError("ambiguous_sku", f'several variants in Vendure have the SKU "{key}", by id: {ids}')
        says = variants[0].track_inventory
        if says == "FALSE" or (says == "INHERIT" and not found.tracks):
            raise _NotPossibleError("not_tracked", "Vendure sells it without counting: see trackInventory")
        return variants[0]

    # -- one request

    def _ask(self, name: str, query: str, variables: dict[str, Any], into: type[T], group: str = READ) -> Exchange[T]:
        """Ask, signed in; where the session has ended, sign in again once."""
        if self._can_sign_in and not self._token:
            yield from self._sign_in()
        token = self._token
        try:
            return _data((yield self._request(name, query, variables, group)), into)
        except _SignedOutError:
            if not self._can_sign_in:
                raise
        if self._token == token:  # else another conversation has signed in meanwhile
            yield from self._sign_in()
        return _data((yield self._request(name, query, variables, group)), into)

    def _sign_in(self) -> Exchange[None]:
        self._token = ""
        variables = {name: self._credentials[name] for name in ("username", "password")}
        answer = yield self._request("login", _LOGIN, variables, READ)
        result = _data(answer, dict[str, dict[str, str]])["login"]
        if result["__typename"] != "CurrentUser":
            raise CredentialsError(f"Vendure: {result.get('message')}")
        self._token = answer.headers.get("vendure-auth-token", "")
        if not self._token:
            raise CredentialsError("Vendure gave no token: its authOptions.tokenMethod must contain 'bearer'")

    def _request(self, name: str, query: str, variables: Mapping[str, Any], group: str) -> Request:
        headers = {"Content-Type": "application/json"}
        if self._options.channel_token is not None:
            headers["vendure-token"] = self._options.channel_token
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        elif "api_key" in self._credentials and not self._can_sign_in:
            headers["vendure-api-key"] = self._credentials["api_key"]
        body = msgspec.json.encode({"operationName": name, "query": query, "variables": variables})
        return Request("POST", self._options.base_url, headers, body, group)


class _NotPossibleError(Exception):
    """One item cannot be sent."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.outcome = Rejected(code, reason)


class _SignedOutError(CredentialsError):
    """The session has ended, or there was none, or it may not do this: Vendure answers all three alike."""


# -- values


def _input(variant: _Variant, item: Item, shop: _Shop) -> dict[str, Any]:
    """Write an item as ``UpdateProductVariantInput``."""
    on_hand = item.quantity + _level(variant, shop.location).stock_allocated
    level = {"stockLocationId": shop.location, "stockOnHand": on_hand}
    changed: dict[str, Any] = {"id": variant.id, "stockLevels": [level]}
    if item.price is not None:
        price = _minor_units(item.price, shop.decimals)
        changed |= {"prices": [{"currencyCode": item.currency, "price": price}]} if item.currency else {"price": price}
    return changed


def _minor_units(price: str, decimals: int) -> int:
    """Turn decimal text into the whole number that Vendure keeps; it would take any, with a fraction or below zero."""
    if not _PRICE.fullmatch(price):
        raise _NotPossibleError("invalid_price", f"{price!r} is not a price")
    units = Decimal(price).scaleb(decimals)
    if units != int(units) or units > INT_MAX:
        raise _NotPossibleError("invalid_price", f"Vendure cannot keep {price}: it has {decimals} decimals, in 32 bits")
    return int(units)


def _level(variant: _Variant, location: str) -> _Level:
    """Find what is at a location; where a variant has never been it has no level, as good as an empty one."""
    found = (level for level in variant.stock_levels if level.stock_location_id == location)
    return next(found, _Level(location, 0, 0))


# -- answers


def _data(answer: Answer, into: type[T]) -> T:
    """Read what was asked for from an answer, whose failures come with status 200 like everything else."""
    check_status(answer)
    body = json_of(answer)
    try:
        if isinstance(body, dict) and body.get("errors"):
            raise _failure(body["errors"][0])
        return msgspec.convert(body["data"], into)
    except (msgspec.ValidationError, TypeError, LookupError, AttributeError):
        raise UnavailableError(f"HTTP {answer.status} and not what was asked: {excerpt(answer.body)}") from None


def _failure(error: Mapping[str, Any]) -> ChannelError:
    code = error.get("extensions", {}).get("code", "no code")  # a failing database has none
    reason = f"Vendure: {error['message']}"[:REASON_CHARACTERS_MAX]
    if code in _SIGNED_OUT:
        return _SignedOutError(f"{reason}; it needs the permissions ReadCatalog and UpdateCatalog")
    if code in _WRONG_QUERY:
        return ClosedError(f"{reason}; this version of Vendure is not known")
    if code in _WRONG_ITEM:
        return SpoiledError(code, reason)
    return UnavailableError(f"{reason} ({code})")


def _told_by_name(error: SpoiledError, wanted: Mapping[str, Item]) -> Outcomes:
    """Tell the one that Vendure named from the others, which were not written either; raise where it named none."""
    named = _NAMED_ID.search(error.reason)
    if named is None or named[1] not in wanted:
        raise error
    retry: Outcome = Retry(error.code, "refused together with another variant, which was gone")
    refused = {item.key: retry for item in wanted.values()}
    return refused | {wanted[named[1]].key: Rejected(error.code, error.reason)}


ADAPTER: Final = Kind(
    name="vendure",
    summary="Vendure: stock and prices by the admin API",
    options=VendureOptions,
    credentials=(),
    optional_credentials=("username", "password", "api_key", "token"),
    build=Vendure,
)
