"""A simulated Shopify shop: the parts of its GraphQL Admin API that set and read stock, strict as its schema.

Documents are parsed, validated and carried out by graphql-core against the schema below, so that a query that the real
schema would refuse is refused here.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any, Final

from aiohttp import web
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    build_schema,
    execute_sync,
    get_directive_values,
    parse,
    validate,
)

from adapters.testing.simulator import Fault
from tests.channels.shopify_order_schema import ORDER_SCHEMA
from tests.channels.shopify_order_service import ShopifyOrderService
from tests.channels.shopify_order_side import LOCATION, SHOP

__all__ = ["LOCATION", "SHOP", "ShopifySimulator"]

TOKEN: Final = "shpat_made_up_for_tests"
VERSIONS: Final = frozenset({"2026-04", "2026-07"})
ITEM: Final = "gid://shopify/InventoryItem/"
QUANTITY_MAX: Final = 1_000_000_000
LIST_MAX: Final = 250
MUTATION_POINTS, READ_POINTS = 11.0, 27.0
CENT: Final = Decimal("0.01")
NO_ITEM: Final = "The specified inventory item could not be found."
NOT_STOCKED: Final = "The item is not stocked at the location."

_SCHEMA: Final = build_schema(
    ORDER_SCHEMA
    + """
directive @idempotent(key: String!) on FIELD
scalar Money
interface Node { id: ID! }
type InventoryQuantity { name: String! quantity: Int! }
type InventoryLevel { quantities(names: [String!]!): [InventoryQuantity!]! }
type InventoryItem implements Node { id: ID! inventoryLevel(locationId: ID!): InventoryLevel }
type Product implements Node { id: ID! }
type InventoryAdjustmentGroup { id: ID! }
type UserError { code: String field: [String!] message: String! }
type InventorySetQuantitiesPayload { inventoryAdjustmentGroup: InventoryAdjustmentGroup userErrors: [UserError!]! }
type ProductVariant { id: ID! price: Money! compareAtPrice: Money }
type ProductVariantsBulkUpdatePayload { productVariants: [ProductVariant!] userErrors: [UserError!]! }
input InventoryQuantityInput { inventoryItemId: ID! locationId: ID! quantity: Int! changeFromQuantity: Int }
input InventorySetQuantitiesInput {
  name: String!
  reason: String!
  referenceDocumentUri: String
  quantities: [InventoryQuantityInput!]!
}
input ProductVariantsBulkInput { id: ID price: Money compareAtPrice: Money }
type Query { nodes(ids: [ID!]!): [Node]! }
type Mutation {
  inventorySetQuantities(input: InventorySetQuantitiesInput!): InventorySetQuantitiesPayload
  productVariantsBulkUpdate(productId: ID!, variants: [ProductVariantsBulkInput!]!): ProductVariantsBulkUpdatePayload
}
"""
)
_OPERATION: Final = re.compile(rb"(?:query|mutation) (Holdfast[A-Za-z]+)")

UserErrors = list[dict[str, Any]]


@dataclass
class ShopifySimulator(ShopifyOrderService):
    """``errors`` are answered, in turn, in place of doing what a call asks: the ``userErrors`` of one call each.

    ``call_errors`` likewise, above the data; ``price_errors`` those of calls about prices. ``gone`` are ids that refuse
    a whole call above its data, which names them unless ``is_silent``. ``elsewhere``: items that are not stocked at the
    location. ``points`` are what is left in the bucket, refilled by the clock unless ``refills`` is False. ``keys`` are
    the idempotency keys in the order in which they came.
    """

    variants: dict[str, tuple[str, str]] = field(default_factory=dict)
    compare_at: dict[str, str] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)
    errors: list[UserErrors] = field(default_factory=list)
    call_errors: list[dict[str, Any]] = field(default_factory=list)
    price_errors: list[dict[str, Any]] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    is_silent: bool = False
    keys: list[str] = field(default_factory=list)
    settled: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    maximum: float = 2000.0
    restore_per_s: float = 100.0
    points: float = 2000.0
    refills: bool = True
    refilled_at_s: float = 0.0

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/admin/api/{version}/graphql.json", self._graphql)]

    def stock(self, *keys: str, quantity: int = 0) -> None:
        """Add inventory items; item 123 belongs to variant 123 of product 12."""
        super().stock(*keys, quantity=quantity)
        for key in keys:
            number = key.removeprefix(ITEM)
            product = f"gid://shopify/Product/{int(number) // 10}"
            self.variants[f"gid://shopify/ProductVariant/{number}"] = (product, key)

    def _next_fault(self, path: str) -> Fault | None:
        """Take the name of an operation for a part of its path: there is one path for all."""
        named = _OPERATION.search(self.received[-1].body)
        return super()._next_fault(f"{path}/{named[1].decode()}" if named else path)

    async def _graphql(self, request: web.Request) -> web.Response:
        if request.headers.get("X-Shopify-Access-Token") != TOKEN:
            return web.json_response({"errors": "[API] Invalid API key or access token"}, status=401)
        if request.match_info["version"] not in VERSIONS:
            return web.json_response({"errors": "Not Found"}, status=404)
        asked = json.loads(await request.read())
        if asked.keys() != {"query", "variables"} or request.content_type != "application/json":
            self.complain(f"{sorted(asked)} as {request.content_type}")
        if self.call_errors:
            return web.json_response({"errors": [self.call_errors.pop(0)]})
        if self.price_errors and "variants" in asked["variables"]:
            return web.json_response({"errors": [self.price_errors.pop(0)]})
        cost = _cost(asked["variables"])
        if self._refilled() < cost:
            throttled = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
            return web.json_response({"errors": [throttled], "extensions": self._extensions(cost)})
        self.points -= cost
        return web.json_response({**self._carried_out(asked), "extensions": self._extensions(cost)})

    def _carried_out(self, asked: dict[str, Any]) -> dict[str, Any]:
        root = {
            "nodes": self._nodes,
            "inventorySetQuantities": self._set_quantities,
            "productVariantsBulkUpdate": self._set_prices,
            **self.order_root(),
        }
        document, errors = _read_document(asked["query"])
        result = (
            ExecutionResult(None, errors)
            if errors
            else execute_sync(_SCHEMA, document, root, variable_values=asked["variables"])
        )
        unexpected = [each for each in result.errors or () if "code" not in (each.extensions or {})]
        for each in unexpected:
            self.complain(each.message)
        return dict(result.formatted)

    # -- stock

    def _set_quantities(self, info: Any, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
        key = self._key(info)
        self._check_there(*(row["inventoryItemId"] for row in input["quantities"]))
        if len(input["quantities"]) > LIST_MAX:
            raise _refusal("MAX_INPUT_SIZE_EXCEEDED", f"The input array size is greater than the {LIST_MAX} allowed.")
        if any("changeFromQuantity" not in row for row in input["quantities"]):
            self.complain("changeFromQuantity must be there, be it null")
            raise _refusal("BAD_REQUEST", "changeFromQuantity is required")
        if key in self.settled:
            return self._again(key, input)
        errors = self.errors.pop(0) if self.errors else list(self._wrongs(input))
        if not errors:
            for row in input["quantities"]:
                self.show(row["inventoryItemId"], row["quantity"])
        if not self.lying:
            self.settled[key] = (input, errors)
        return _payload(key, errors)

    def _key(self, info: Any) -> str:
        directive = _SCHEMA.get_directive("idempotent")
        assert directive is not None
        values = get_directive_values(directive, info.field_nodes[0], info.variable_values)
        if not values:
            self.complain("@idempotent must be there")
            raise _refusal("BAD_REQUEST", "The @idempotent directive is required")
        self.keys.append(values["key"])
        return str(values["key"])

    def _again(self, key: str, parameters: Any) -> dict[str, Any]:
        before, errors = self.settled[key]
        if before != parameters:
            reported = _user_error(
                "IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "The key was used with other parameters.", None
            )
            return _payload(key, [reported])
        if errors:
            reported = _user_error(
                "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", "The first attempt with this key failed.", None
            )
            return _payload(key, [reported])
        return _payload(key, [])

    def _wrongs(self, update: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if update["name"] not in ("available", "on_hand"):
            yield _user_error("INVALID_NAME", "The quantity name must be available or on_hand.", ["input", "name"])
        seen = set()
        for number, row in enumerate(update["quantities"]):
            wrong = self._wrong(row)
            if (row["inventoryItemId"], row["locationId"]) in seen:
                wrong = "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR", "It stands there twice.", "inventoryItemId"
            seen.add((row["inventoryItemId"], row["locationId"]))
            if wrong is not None:
                yield _user_error(*wrong[:2], ["input", "quantities", str(number), wrong[2]])

    def _wrong(self, row: dict[str, Any]) -> tuple[str, str, str] | None:
        item, quantity, expected = row["inventoryItemId"], row["quantity"], row["changeFromQuantity"]
        wrongs = (
            (item not in self.shown, ("INVALID_INVENTORY_ITEM", NO_ITEM, "inventoryItemId")),
            (row["locationId"] != LOCATION, ("INVALID_LOCATION", "The location could not be found.", "locationId")),
            (item in self.elsewhere, ("ITEM_NOT_STOCKED_AT_LOCATION", NOT_STOCKED, "locationId")),
            (quantity > QUANTITY_MAX, ("INVALID_QUANTITY_TOO_HIGH", "It can't be higher than 1e9.", "quantity")),
            (quantity < 0, ("INVALID_QUANTITY_NEGATIVE", "It can't be negative.", "quantity")),
            (
                expected not in (None, self.shown.get(item)),
                ("CHANGE_FROM_QUANTITY_STALE", "It is not what is persisted.", "changeFromQuantity"),
            ),
        )
        return next((reported for is_wrong, reported in wrongs if is_wrong), None)

    def _nodes(self, _info: Any, ids: list[str]) -> list[dict[str, Any] | None]:
        if len(ids) > LIST_MAX:
            raise _refusal("MAX_INPUT_SIZE_EXCEEDED", f"The input array size is greater than the {LIST_MAX} allowed.")
        self._check_there(*ids)
        return [self._item(gid) if gid in self.shown else None for gid in ids]

    def _check_there(self, *ids: str) -> None:
        gone = [each for each in ids if each in self.gone]
        if gone:
            raise _refusal("RESOURCE_NOT_FOUND", "Invalid id" if self.is_silent else f"Invalid id: {gone[0]}")

    def _item(self, gid: str) -> dict[str, Any]:
        def level(_info: Any, locationId: str) -> dict[str, Any] | None:  # noqa: N803
            stocked = locationId == LOCATION and gid not in self.elsewhere
            return {"quantities": quantities} if stocked else None

        def quantities(_info: Any, names: list[str]) -> list[dict[str, Any]]:
            return [{"name": name, "quantity": self.shown[gid]} for name in names]

        return {"__typename": "InventoryItem", "id": gid, "inventoryLevel": level}

    # -- prices

    def _set_prices(
        self,
        _info: Any,
        productId: str,  # noqa: N803
        variants: list[dict[str, Any]],
    ) -> dict[str, Any]:
        self._check_there(productId, *(row["id"] for row in variants))
        errors = self.errors.pop(0) if self.errors else list(self._wrong_prices(productId, variants))
        for row in () if errors or self.lying else variants:
            _, key = self.variants[row["id"]]
            self.prices[key] = _rounded(row["price"])
            if "compareAtPrice" in row:
                self.compare_at[key] = _rounded(row["compareAtPrice"])
        return {
            "userErrors": errors,
            "productVariants": None if errors else [self._priced(row["id"]) for row in variants],
        }

    def _priced(self, variant: str) -> dict[str, Any]:
        _, key = self.variants[variant]
        return {"id": variant, "price": self.prices.get(key, "0.00"), "compareAtPrice": self.compare_at.get(key)}

    def _wrong_prices(self, product: str, rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        if product not in {each for each, _ in self.variants.values()}:
            yield _user_error("PRODUCT_DOES_NOT_EXIST", "Product does not exist", ["productId"])
            return
        for number, row in enumerate(rows):
            if not isinstance(row["price"], str):
                self.complain("a price must be text")
            if self.variants.get(row["id"], ("", ""))[0] != product:
                path = ["variants", str(number), "id"]
                yield _user_error("PRODUCT_VARIANT_DOES_NOT_EXIST", "Product variant does not exist", path)
            elif row["price"].startswith("-"):
                path = ["variants", str(number), "price"]
                yield _user_error("GREATER_THAN_OR_EQUAL_TO", "Price must be greater than or equal to 0", path)

    # -- the bucket

    def _refilled(self) -> float:
        now_s = asyncio.get_running_loop().time()
        if self.refills:
            self.points = min(self.maximum, self.points + (now_s - self.refilled_at_s) * self.restore_per_s)
        self.refilled_at_s = now_s
        return self.points

    def _extensions(self, cost: float) -> dict[str, Any]:
        status = {
            "maximumAvailable": self.maximum,
            "currentlyAvailable": int(self.points),
            "restoreRate": self.restore_per_s,
        }
        return {"cost": {"requestedQueryCost": cost, "actualQueryCost": cost, "throttleStatus": status}}


@cache
def _read_document(text: str) -> tuple[DocumentNode, list[GraphQLError]]:
    """Read a document and check it against the schema, once: that takes long."""
    document = parse(text)
    return document, validate(_SCHEMA, document)


def _cost(variables: dict[str, Any]) -> float:
    return READ_POINTS if "ids" in variables else MUTATION_POINTS


def _rounded(price: str) -> str:
    return str(Decimal(price).quantize(CENT))


def _payload(key: str, errors: UserErrors) -> dict[str, Any]:
    group = None if errors else {"id": f"gid://shopify/InventoryAdjustmentGroup/{key}"}
    return {"inventoryAdjustmentGroup": group, "userErrors": errors}


def _user_error(code: str, message: str, path: list[str] | None) -> dict[str, Any]:
    return {"code": code, "message": message, "field": path}


def _refusal(code: str, message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": code})
