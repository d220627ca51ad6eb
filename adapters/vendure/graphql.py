"""Vendure's admin GraphQL API: the queries, the form of their answers, signing in, and what their errors mean."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

from adapters.contract.errors import (
    ChannelError,
    ClosedError,
    CredentialsError,
    SpoiledError,
    UnavailableError,
    UnknownResultError,
)
from adapters.contract.http import (
    COMMANDS,
    ORDERS,
    READ,
    REASON_CHARACTERS_MAX,
    Answer,
    Exchange,
    Request,
    check_command,
    check_status,
    excerpt,
    json_of,
)

T = TypeVar("T")

ITEMS_MAX: Final = 50
"""Vendure writes one variant after the other: 10 ms and 3 more for each, measured. More at once would gain nothing, and
let the first wait for the last."""
READ_ITEMS_MAX: Final = 300
"""With the longest keys some 80 kB: from 100 kB on Vendure answers 500 without a reason, unless configured."""

LOGIN: Final = """mutation login($username: String!, $password: String!) {
  login(username: $username, password: $password, rememberMe: false) {
    __typename ... on ErrorResult { message }
  }
}"""
SHOP: Final = """query shop {
  activeChannel { token }
  globalSettings { serverConfig { moneyStrategyPrecision } }
  stockLocations { items { id name } }
}"""
LEVELS: Final = """query levels($filter: ProductVariantFilterParameter!) {
  globalSettings { trackInventory }
  productVariants(options: { filter: $filter }) {
    totalItems
    items { id sku trackInventory stockLevels { stockLocationId stockOnHand stockAllocated } }
  }
}"""
UPDATE: Final = """mutation update($input: [UpdateProductVariantInput!]!) {
  updateProductVariants(input: $input) {
    id currencyCode prices { currencyCode price } stockLevels { stockLocationId stockOnHand stockAllocated }
  }
}"""

_PERMISSIONS: Final = "ReadCatalog and UpdateCatalog, for orders ReadOrder and UpdateOrder"
_SIGNED_OUT: Final = ("FORBIDDEN", "UNAUTHORIZED", "UNAUTHENTICATED")
_WRONG_QUERY: Final = ("GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED")
_WRONG_ITEM: Final = ("BAD_USER_INPUT", "USER_INPUT_ERROR", "ENTITY_NOT_FOUND")


class VendureOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``base_url`` is the admin API, as in ``https://shop.example/admin-api``.

    ``key_is``: what a listing's key is in Vendure, the variant's id or its SKU. ``stock_location_id`` is needed where
    the shop has several. ``channel_token`` selects a Vendure channel, by default the default one. An API key (Vendure
    3.6 on) is best; a user with a password should be Holdfast's own: signing out ends all of a user's sessions.

    ``shipped_is``: when a parcel's pieces have left, once it is Shipped, or already when it is made.
    ``fulfillment_handler`` is the shop's handler that makes the parcels of what Holdfast reports as shipped.
    """

    base_url: Annotated[str, Meta(pattern=r"^https?://[^/?#@]+(/[^?#@]*)?$")]
    stock_location_id: str | None = None
    key_is: Literal["id", "sku"] = "id"
    channel_token: str | None = None
    items_max: Annotated[int, Meta(ge=1, le=READ_ITEMS_MAX)] = ITEMS_MAX
    shipped_is: Literal["shipped", "fulfilled"] = "shipped"
    fulfillment_handler: str = "manual-fulfillment"


# -- answers


class Wire(msgspec.Struct, frozen=True, rename="camel"):
    """Part of an answer, its fields named as in Vendure."""


class Level(Wire, frozen=True):
    """The units of a variant at one stock location."""

    stock_location_id: str
    stock_on_hand: int
    stock_allocated: int

    @property
    def shown(self) -> int:
        """What buyers can buy; below zero where the shop has oversold."""
        return self.stock_on_hand - self.stock_allocated


class Price(Wire, frozen=True):
    """A price in minor units, as it was written: with or without tax."""

    currency_code: str
    price: int


class Variant(Wire, frozen=True):
    """A product variant; ``track_inventory`` INHERIT: as the shop's global setting."""

    id: str
    stock_levels: list[Level]
    sku: str = ""
    currency_code: str = ""
    prices: list[Price] = []
    track_inventory: Literal["TRUE", "FALSE", "INHERIT"] = "INHERIT"


class Page(Wire, frozen=True):
    """Variants found, and how many there are in all."""

    total_items: int
    items: list[Variant]


class LevelsAnswer(Wire, frozen=True):
    """The data of :data:`LEVELS`."""

    global_settings: dict[str, bool]
    product_variants: Page


class UpdateAnswer(Wire, frozen=True):
    """The data of :data:`UPDATE`."""

    update_product_variants: list[Variant]


class ShopAnswer(Wire, frozen=True):
    """The data of :data:`SHOP`."""

    active_channel: dict[str, str]
    global_settings: dict[str, dict[str, int]]
    stock_locations: dict[str, list[dict[str, str]]]


# -- requests


class Session:
    """Asks one Vendure shop, signed in where it has a user. Keeps the token of the user's session."""

    def __init__(self, options: VendureOptions, credentials: Mapping[str, str]) -> None:
        self._options = options
        self._credentials = dict(credentials)
        self._token = credentials.get("token", "")
        self._can_sign_in = "username" in credentials and "password" in credentials
        if not (self._can_sign_in or self._token or "api_key" in credentials):
            raise ValueError("Vendure needs username and password, or api_key, or token")

    def ask(self, name: str, query: str, variables: dict[str, Any], into: type[T], group: str = READ) -> Exchange[T]:
        """Send one query and return its data, signed in; where the session has ended, sign in again once."""
        if self._can_sign_in and not self._token:
            yield from self._sign_in()
        token = self._token
        try:
            return _data((yield self._request(name, query, variables, group)), into, group)
        except _SignedOutError:
            if not self._can_sign_in:
                raise
        if self._token == token:  # else another exchange has signed in meanwhile
            yield from self._sign_in()
        return _data((yield self._request(name, query, variables, group)), into, group)

    def _sign_in(self) -> Exchange[None]:
        self._token = ""
        variables = {name: self._credentials[name] for name in ("username", "password")}
        answer = yield self._request("login", LOGIN, variables, READ)
        result = _data(answer, dict[str, dict[str, str]])["login"]
        if result["__typename"] != "CurrentUser":
            raise CredentialsError(f"Vendure: {result.get('message')}")
        self._token = answer.headers.get("vendure-auth-token", "")
        if not self._token:
            raise CredentialsError("Vendure returned no token: its authOptions.tokenMethod must contain 'bearer'")

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


class _SignedOutError(CredentialsError):
    """The session has ended, or there was none, or it lacks a permission: Vendure answers all three alike."""


def _data(answer: Answer, into: type[T], group: str = READ) -> T:
    """Return the data of an answer. Vendure answers failures with status 200, too.

    An answer about orders is never quoted: it holds addresses.

    Raises
    ------
    ChannelError
        By the error's code, or UnavailableError where the answer has another form.

    """
    (check_command if group == COMMANDS else check_status)(answer)
    try:
        body = json_of(answer)
        if isinstance(body, dict) and body.get("errors"):
            raise _failure(body["errors"][0])
        return msgspec.convert(body["data"], into)
    except (msgspec.ValidationError, TypeError, LookupError, AttributeError) as error:
        quoted = str(error) if group in (ORDERS, COMMANDS) else excerpt(answer.body)
        raise _unreadable(group)(f"HTTP {answer.status} with data of another form: {quoted}") from None


def _unreadable(group: str) -> type[ChannelError]:
    """Return what an answer means that cannot be read: a command may have been carried out."""
    return UnknownResultError if group == COMMANDS else UnavailableError


def _failure(error: Mapping[str, Any]) -> ChannelError:
    code = error.get("extensions", {}).get("code", "no code")  # a failing database has none
    reason = f"Vendure: {error['message']}"[:REASON_CHARACTERS_MAX]
    if code in _SIGNED_OUT:
        return _SignedOutError(f"{reason}; it needs the permissions {_PERMISSIONS}")
    if code in _WRONG_QUERY:
        return ClosedError(f"{reason}; this version of Vendure is not supported")
    if code in _WRONG_ITEM:
        return SpoiledError(code, reason)
    return UnavailableError(f"{reason} ({code})")
