"""A simulated Vendure shop: the part of its admin API that concerns stock, answering as a real 3.7.3 was seen to.

Queries are parsed, validated and executed by a GraphQL library against Vendure's own names and types, so a wrong field
or a value of the wrong type fails here as it does there.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import graphql
import msgspec
from aiohttp import web

from adapters.testing.simulator import Fault, Simulator

LOCATION: Final = "1"
BODY_BYTES_MAX: Final = 100 * 1024

Info = graphql.GraphQLResolveInfo[Any]

_SCHEMA: Final = graphql.build_schema("""
scalar Money
enum CurrencyCode { USD EUR TRY }
enum GlobalFlag { TRUE FALSE INHERIT }
enum ErrorCode { INVALID_CREDENTIALS_ERROR }
interface ErrorResult { errorCode: ErrorCode!  message: String! }
type InvalidCredentialsError implements ErrorResult { errorCode: ErrorCode!  message: String! }
type CurrentUser { id: ID! }
union NativeAuthenticationResult = CurrentUser | InvalidCredentialsError
type Channel { token: String! }
type ServerConfig { moneyStrategyPrecision: Int! }
type GlobalSettings { trackInventory: Boolean!  serverConfig: ServerConfig! }
type StockLocation { id: ID!  name: String! }
type StockLocationList { items: [StockLocation!]!  totalItems: Int! }
type StockLevel { stockLocationId: ID!  stockOnHand: Int!  stockAllocated: Int! }
type ProductVariantPrice { currencyCode: CurrencyCode!  price: Money! }
type ProductVariant {
  id: ID!  sku: String!  trackInventory: GlobalFlag!  price: Money!  currencyCode: CurrencyCode!
  prices: [ProductVariantPrice!]!  stockLevels: [StockLevel!]!
}
type ProductVariantList { items: [ProductVariant!]!  totalItems: Int! }
input IDOperators { in: [String!] }
input StringOperators { in: [String!] }
input ProductVariantFilterParameter { id: IDOperators  sku: StringOperators }
input ProductVariantListOptions { filter: ProductVariantFilterParameter  take: Int }
input StockLevelInput { stockLocationId: ID!  stockOnHand: Int! }
input UpdateProductVariantPriceInput { currencyCode: CurrencyCode!  price: Money! }
input UpdateProductVariantInput {
  id: ID!  price: Money  prices: [UpdateProductVariantPriceInput!]  stockLevels: [StockLevelInput!]
}
type Query {
  activeChannel: Channel!
  globalSettings: GlobalSettings!
  stockLocations: StockLocationList!
  productVariants(options: ProductVariantListOptions): ProductVariantList!
}
type Mutation {
  login(username: String!, password: String!, rememberMe: Boolean): NativeAuthenticationResult!
  updateProductVariants(input: [UpdateProductVariantInput!]!): [ProductVariant]!
}
""")


@dataclass
class VendureSimulator(Simulator):
    """A shop whose ``shown`` is by variant id and is what its buyers can have, as ``saleable`` is in Vendure.

    ``allocated`` are the units of its own open orders; ``before_update`` happens after the next push was read and
    before it is carried out. ``skus`` and ``tracking`` hold what differs from the usual.
    """

    username: str = ""
    password: str = ""
    api_key: str = ""
    channel_token: str = "made-up-default-channel"
    sessions: set[str] = field(default_factory=set)
    logins: int = 0
    allocated: dict[str, int] = field(default_factory=dict)
    skus: dict[str, str] = field(default_factory=dict)
    tracking: dict[str, str] = field(default_factory=dict)
    tracks: bool = True
    locations: dict[str, str] = field(default_factory=lambda: {LOCATION: "Default Stock Location"})
    before_update: Callable[[], None] | None = None
    list_limit: int = 1000
    ignores_case: bool = False
    fixed_price: int | None = None

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/admin-api", self._answer)]

    def allocate(self, key: str, units: int) -> None:
        """Let a buyer order; fewer than none: cancel."""
        self.allocated[key] = self.allocated.get(key, 0) + units
        self.shown[key] -= units

    def forget(self, key: str) -> None:
        """Delete a variant."""
        del self.shown[key]

    def _next_fault(self, path: str) -> Fault | None:
        """Report requests apart by their operation; they all have the same path."""
        try:
            name = msgspec.json.decode(self.received[-1].body).get("operationName")
        except (msgspec.DecodeError, AttributeError):
            name = None
        return super()._next_fault(f"{path}#{name}")

    # -- GraphQL over HTTP

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        if len(body) > BODY_BYTES_MAX:
            self.complain(f"a body of {len(body)} bytes")
            return _json({"statusCode": 500, "message": "", "path": request.path}, 500)
        try:
            asked = msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            self.complain(f"not JSON: {error}")
            return _json({"statusCode": 400, "message": str(error), "path": request.path}, 400)
        if request.content_type != "application/json" or not isinstance(asked, dict) or not asked.get("query"):
            self.complain("not a GraphQL request")
            return _json(_errors("POST body missing, invalid Content-Type", "BAD_REQUEST"), 400)
        caller = _Caller(request.headers)
        if caller.session and caller.session not in self.sessions:
            caller.answer_headers["vendure-auth-token"] = ""  # how Vendure ends a session
        return self._execute(asked, caller)

    def _execute(self, asked: Mapping[str, Any], caller: "_Caller") -> web.Response:
        try:
            document = graphql.parse(asked["query"])
        except graphql.GraphQLSyntaxError as error:
            self.complain(error.message)
            return _json(_errors(error.message, "GRAPHQL_PARSE_FAILED"), 400)
        invalid = graphql.validate(_SCHEMA, document)
        if invalid:
            self.complain(invalid[0].message)
            return _json(_errors(invalid[0].message, "GRAPHQL_VALIDATION_FAILED"), 400)
        result = graphql.execute_sync(
            _SCHEMA,
            document,
            root_value=self._root(),
            context_value=caller,
            variable_values=asked.get("variables"),
            operation_name=asked.get("operationName"),
        )
        if result.errors and not result.errors[0].path:  # a variable of the wrong type: nothing was executed
            self.complain(result.errors[0].message)
            return _json(_errors(result.errors[0].message, "BAD_USER_INPUT"))
        return _json(result.formatted, headers=caller.answer_headers)

    def _root(self) -> dict[str, Callable[..., Any]]:
        def signed_in(resolve: Callable[..., Any]) -> Callable[..., Any]:
            def check(info: Info, **arguments: Any) -> Any:
                self._check(info.context)
                return resolve(**arguments)

            return check

        return {
            "login": self._login,
            "activeChannel": signed_in(lambda: {"token": self.channel_token}),
            "globalSettings": signed_in(
                lambda: {"trackInventory": self.tracks, "serverConfig": {"moneyStrategyPrecision": 2}}
            ),
            "stockLocations": signed_in(self._stock_locations),
            "productVariants": signed_in(self._product_variants),
            "updateProductVariants": signed_in(self._update),
        }

    # -- who asks

    def _login(self, info: Info, username: str, password: str, **_: object) -> dict[str, str]:
        self.logins += 1
        if (username, password) != (self.username, self.password):
            return {
                "__typename": "InvalidCredentialsError",
                "errorCode": "INVALID_CREDENTIALS_ERROR",
                "message": "The provided credentials are invalid",
            }
        token = secrets.token_hex(32)
        self.sessions.add(token)
        info.context.answer_headers["vendure-auth-token"] = token
        return {"__typename": "CurrentUser", "id": "1"}

    def _check(self, caller: "_Caller") -> None:
        if caller.session not in self.sessions and not (self.api_key and caller.api_key == self.api_key):
            raise _error("You are not currently authorized to perform this action", "FORBIDDEN")

    # -- stock

    def _stock_locations(self) -> dict[str, Any]:
        items = [{"id": each, "name": name} for each, name in self.locations.items()]
        return {"items": items, "totalItems": len(items)}

    def _product_variants(self, options: dict[str, Any]) -> dict[str, Any]:
        asked = options.get("filter", {})
        found = [
            key
            for key in self.shown
            if all(self._is_in(self._field(key, name), operators["in"]) for name, operators in asked.items())
        ]
        return {"items": [self._variant(key) for key in found[: self.list_limit]], "totalItems": len(found)}

    def _is_in(self, text: str, asked: list[str]) -> bool:
        return text in asked or (self.ignores_case and text.casefold() in {each.casefold() for each in asked})

    def _field(self, key: str, name: str) -> str:
        return key if name == "id" else self.skus.get(key, f"SKU-{key}")

    def _variant(self, key: str, on_hand: int | None = None) -> dict[str, Any]:
        allocated = self.allocated.get(key, 0)
        level = {
            "stockLocationId": LOCATION,
            "stockOnHand": self.shown[key] + allocated if on_hand is None else on_hand,
            "stockAllocated": allocated,
        }
        return {
            "id": key,
            "sku": self._field(key, "sku"),
            "trackInventory": self.tracking.get(key, "INHERIT"),
            "price": 0,
            "currencyCode": "USD",
            "prices": [{"currencyCode": "USD", "price": int(Decimal(self.prices.get(key, "10.00")).scaleb(2))}],
            "stockLevels": [level],
        }

    def _update(self, input: list[dict[str, Any]]) -> list[dict[str, Any]]:  # noqa: A002  # Vendure's name
        if self.before_update is not None:
            happens, self.before_update = self.before_update, None
            happens()
        for change in input:
            self._check_change(change)
        for change in input:
            allocated = self.allocated.get(change["id"], 0)
            self.show(change["id"], change["stockLevels"][0]["stockOnHand"] - allocated, self._price(change))
        reported = {change["id"]: change["stockLevels"][0]["stockOnHand"] for change in input}
        return [
            self._variant(key, on_hand) for key, on_hand in reported.items()
        ]  # also where nothing was done, as Vendure does

    def _check_change(self, change: Mapping[str, Any]) -> None:
        key = change["id"]
        if key not in self.shown:
            raise _error(f'No ProductVariant with the id "{key}" could be found', "ENTITY_NOT_FOUND")
        for price in change.get("prices", []):
            if price["currencyCode"] != "USD":
                raise _error(
                    f'The currency "{price["currencyCode"]}" is not available in the current Channel',
                    "USER_INPUT_ERROR",
                )
        if any(level["stockLocationId"] not in self.locations for level in change["stockLevels"]):
            raise graphql.GraphQLError("FOREIGN KEY constraint failed")

    def _price(self, change: Mapping[str, Any]) -> str | None:
        prices = [change["price"]] if "price" in change else [each["price"] for each in change.get("prices", ())]
        units = next(iter(prices), None)
        if units is None:
            return None
        if self.fixed_price is not None:
            return str(Decimal(self.fixed_price).scaleb(-2))
        if not isinstance(units, int) or units < 0:
            self.complain(f"a price of {units!r}; Vendure would take it")
        return str(Decimal(units).scaleb(-2))


class _Caller:
    """The caller, and the headers of the answer to it."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.session = headers.get("Authorization", "").removeprefix("Bearer ")
        self.api_key = headers.get("vendure-api-key", "")
        self.answer_headers: dict[str, str] = {}


def _error(message: str, code: str) -> graphql.GraphQLError:
    return graphql.GraphQLError(message, extensions={"code": code})


def _errors(message: str, code: str) -> dict[str, Any]:
    return {"errors": [{"message": message, "extensions": {"code": code}}]}


def _json(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, headers=headers, content_type="application/json")
