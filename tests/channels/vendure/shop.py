"""A hand in a real Vendure's own API, past Holdfast: what an administrator and a buyer do."""

import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

TIMEOUT_S: Final = 30.0
BATCH: Final = 100
"""Some 25 kB; Vendure takes no more than 100."""
CURRENCY: Final = "USD"

_EMPTY: Final[Mapping[str, str]] = {}


class Level(msgspec.Struct, frozen=True):
    """What Vendure answers of a variant's stock. ``stock_level`` is what buyers see."""

    on_hand: int
    allocated: int
    stock_level: str = ""

    @property
    def saleable(self) -> int:
        return self.on_hand - self.allocated


class Order(msgspec.Struct, frozen=True):
    """An order that was paid. ``lines``: the ids of its lines by variant."""

    id: str
    code: str
    lines: dict[str, str]

    @property
    def line_id(self) -> str:
        """The only line."""
        (line_id,) = self.lines.values()
        return line_id


class Api:
    """One of Vendure's two GraphQL APIs, as one visitor sees it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.token = ""

    def send(self, query: str, variables: Mapping[str, Any] = _EMPTY) -> dict[str, Any]:
        """Ask, and return the whole answer, refusal or not."""
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        body = msgspec.json.encode({"query": query, "variables": variables})
        request = urllib.request.Request(self._url, body, headers)  # noqa: S310  # our own http://
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
            self.token = response.headers.get("vendure-auth-token", self.token)
            answer: dict[str, Any] = msgspec.json.decode(response.read())
        return answer

    def ask(self, query: str, **variables: Any) -> Any:
        """Ask what has one answer, and return it; no refusal is expected."""
        answer = self.send(query, variables)
        assert "errors" not in answer, answer
        (data,) = answer["data"].values()
        return data


class Shop:
    """A running shop. ``url`` is where both APIs are."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self._admin_url = f"{url}/admin-api"
        self.admin = Api(self._admin_url)
        self._shop_url = f"{url}/shop-api"
        self._who = {"username": username, "password": password}

    def sign_in(self) -> None:
        result = self.admin.ask(
            "mutation($username: String!, $password: String!)"
            "{ login(username: $username, password: $password) { __typename } }",
            **self._who,
        )
        assert result == {"__typename": "CurrentUser"}

    # -- stock

    def variants(self, *skus: str) -> dict[str, str]:
        """List the ids of these SKUs, or of the shop's first thousand; Vendure returns no more at once."""
        options = {"sort": {"id": "ASC"}, "filter": {"sku": {"in": skus}} if skus else {}}
        query = "query($options: ProductVariantListOptions) { productVariants(options: $options) { items { id sku } } }"
        return {variant["sku"]: variant["id"] for variant in self.admin.ask(query, options=options)["items"]}

    def levels(self) -> dict[str, Level]:
        """Read the stock of the shop's first thousand variants by id."""
        found = self.admin.ask(
            "{ productVariants(options: { sort: { id: ASC } })"
            " { items { id stockLevel stockLevels { stockOnHand stockAllocated } } } }"
        )["items"]
        return {each["id"]: _level(each) for each in found}

    def level(self, variant_id: str) -> Level:
        """Read the stock of one variant."""
        query = "query($id: ID!) { productVariant(id: $id) { stockLevel stockLevels { stockOnHand stockAllocated } } }"
        return _level(self.admin.ask(query, id=variant_id))

    def price(self, variant_id: str) -> int:
        """Read a price, in minor units."""
        price: int = self.admin.ask("query($id: ID!) { productVariant(id: $id) { price } }", id=variant_id)["price"]
        return price

    def set_on_hand(self, variant_id: str, on_hand: int) -> None:
        """Change a variant's stock behind Holdfast's back; not below zero."""
        self.update({"id": variant_id, "stockOnHand": on_hand})

    def update(self, *changes: Mapping[str, Any]) -> Any:
        """Change variants in one call."""
        return self.admin.ask(
            "mutation($input: [UpdateProductVariantInput!]!) { updateProductVariants(input: $input) { id } }",
            input=changes,
        )

    def delete(self, variant_id: str) -> None:
        """Delete a variant."""
        query = "mutation($id: ID!) { deleteProductVariant(id: $id) { result } }"
        assert self.admin.ask(query, id=variant_id) == {"result": "DELETED"}

    # -- who may

    def api_key(self) -> str:
        """Make an API key that may do everything."""
        query = "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) { apiKey } }"
        key: str = self.admin.ask(query, input={"roleIds": ["1"], "translations": [_named("Key")]})["apiKey"]
        return key

    def administrator(self, email: str, password: str, *permissions: str) -> None:
        """Make an administrator who may do only what is named."""
        role = self.admin.ask(
            "mutation($input: CreateRoleInput!) { createRole(input: $input) { id } }",
            input={"code": email, "description": email, "permissions": permissions},
        )["id"]
        self.admin.ask(
            "mutation($input: CreateAdministratorInput!) { createAdministrator(input: $input) { id } }",
            input={"firstName": "A", "lastName": "B", "emailAddress": email, "password": password, "roleIds": [role]},
        )

    def end_session(self, token: str) -> None:
        """Sign somebody out, as when a session has come to its end; Vendure ends all sessions of the same user."""
        other = Api(self._admin_url)
        other.token = token
        assert other.ask("mutation { logout { success } }") == {"success": True}

    # -- orders

    def order(self, variant_id: str, units: int) -> Order:
        """Buy and pay as a new visitor; Vendure then has the units allocated."""
        return self.order_of({variant_id: units})

    def order_of(self, units: Mapping[str, int]) -> Order:
        """Buy several variants at once."""
        visitor = self.cart(units)
        methods = visitor.ask("{ eligibleShippingMethods { id } }")
        visitor.ask(
            "mutation($ids: [ID!]!) { setOrderShippingMethod(shippingMethodId: $ids) { __typename } }",
            ids=[methods[0]["id"]],
        )
        visitor.ask('mutation { transitionOrderToState(state: "ArrangingPayment") { __typename } }')
        order = visitor.ask(
            'mutation { addPaymentToOrder(input: { method: "made-up-money", metadata: {} })'
            " { ... on Order { id code state lines { id quantity productVariant { id } } } } }"
        )
        bought = {line["productVariant"]["id"]: line["quantity"] for line in order["lines"]}
        assert (order["state"], bought) == ("PaymentSettled", dict(units))
        return Order(order["id"], order["code"], {line["productVariant"]["id"]: line["id"] for line in order["lines"]})

    def cart(self, units: Mapping[str, int]) -> Api:
        """Put variants into a new visitor's cart, with an address."""
        visitor = Api(self._shop_url)
        for variant_id, pieces in units.items():
            visitor.ask(
                "mutation($id: ID!, $units: Int!) { addItemToOrder(productVariantId: $id, quantity: $units)"
                " { __typename ... on ErrorResult { message } } }",
                id=variant_id,
                units=pieces,
            )
        visitor.ask(
            'mutation { setCustomerForOrder(input: { firstName: "A", lastName: "B", emailAddress: "a@example.com" })'
            " { __typename } }"
        )
        visitor.ask(
            'mutation { setOrderShippingAddress(input: { streetLine1: "Street 1", countryCode: "NL" }) { __typename } }'
        )
        return visitor

    def refused(self, variant_id: str, units: int) -> int:
        """Try to buy more than there is: how many are there according to Vendure."""
        query = (
            "mutation($id: ID!, $units: Int!) { addItemToOrder(productVariantId: $id, quantity: $units)"
            " { ... on InsufficientStockError { quantityAvailable } } }"
        )
        available: int = Api(self._shop_url).ask(query, id=variant_id, units=units)["quantityAvailable"]
        return available

    def ship(self, order: Order, units: int, tracking: str = "none") -> str:
        """Make a parcel of an order's units, which leave the stock by that; returns its id."""
        arguments = [{"name": "method", "value": "by hand"}, {"name": "trackingCode", "value": tracking}]
        fulfilment: str = self.admin.ask(
            "mutation($input: FulfillOrderInput!) { addFulfillmentToOrder(input: $input)"
            " { ... on Fulfillment { id } } }",
            input={
                "lines": [{"orderLineId": order.line_id, "quantity": units}],
                "handler": {"code": "manual-fulfillment", "arguments": arguments},
            },
        )["id"]
        return fulfilment

    def move(self, parcel: str, state: str) -> None:
        """Let a parcel be Shipped, Delivered or Cancelled."""
        query = "mutation($id: ID!, $to: String!) { transitionFulfillmentToState(id: $id, state: $to) { __typename } }"
        assert self.admin.ask(query, id=parcel, to=state) == {"__typename": "Fulfillment"}

    def parcels(self, order: Order) -> list[tuple[str, str]]:
        """Read state and tracking number of an order's parcels."""
        query = "query($id: ID!) { order(id: $id) { fulfillments { state trackingCode } } }"
        found = self.admin.ask(query, id=order.id)["fulfillments"] or []
        return [(each["state"], each["trackingCode"]) for each in found]

    def cancel(self, order: Order, units: int | None = None) -> None:
        """Cancel a whole order, or units of its only line."""
        lines = None if units is None else [{"orderLineId": order.line_id, "quantity": units}]
        query = "mutation($input: CancelOrderInput!) { cancelOrder(input: $input) { __typename } }"
        wanted = {"orderId": order.id, "lines": lines, "cancelShipping": units is None}
        assert self.admin.ask(query, input=wanted) == {"__typename": "Order"}

    def modify(self, order: Order, units: int, **more: Any) -> str:
        """Change the quantity of the only line, and return the order's state; ``addItems`` adds others."""
        query = 'mutation($id: ID!) { transitionOrderToState(id: $id, state: "Modifying") { __typename } }'
        assert self.admin.ask(query, id=order.id) == {"__typename": "Order"}
        payments = self.admin.ask("query($id: ID!) { order(id: $id) { payments { id } } }", id=order.id)["payments"]
        wanted = {
            "dryRun": False,
            "orderId": order.id,
            "refund": {"paymentId": payments[0]["id"], "reason": "changed"},  # where less is to be paid now
            "adjustOrderLines": [{"orderLineId": order.line_id, "quantity": units}],
            **more,
        }
        query = (
            "mutation($input: ModifyOrderInput!) { modifyOrder(input: $input) { __typename ... on Order { state } } }"
        )
        state: str = self.admin.ask(query, input=wanted)["state"]
        return state

    # -- at the beginning

    def set_up(self, skus: Sequence[str]) -> None:
        """Make of an empty Vendure a shop that sells these SKUs, none of them in stock yet."""
        zone = self.admin.ask('mutation { createZone(input: { name: "Everywhere" }) { id } }')["id"]
        self.admin.ask(
            "mutation($zone: ID!) { updateChannel(input:"
            ' { id: "1", defaultTaxZoneId: $zone, defaultShippingZoneId: $zone }) { __typename } }',
            zone=zone,
        )
        category = self.admin.ask('mutation { createTaxCategory(input: { name: "T", isDefault: true }) { id } }')["id"]
        self.admin.ask(
            "mutation($input: CreateTaxRateInput!) { createTaxRate(input: $input) { id } }",
            input={"name": "None", "enabled": True, "value": 0, "categoryId": category, "zoneId": zone},
        )
        self._set_up_orders(zone)
        for start in range(0, len(skus), BATCH):
            self.create(skus[start : start + BATCH])

    def _set_up_orders(self, zone: str) -> None:
        country = self.admin.ask(
            "mutation($input: CreateCountryInput!) { createCountry(input: $input) { id } }",
            input={"code": "NL", "enabled": True, "translations": [_named("Netherlands")]},
        )["id"]
        self.admin.ask(
            "mutation($zone: ID!, $country: ID!) { addMembersToZone(zoneId: $zone, memberIds: [$country]) { id } }",
            zone=zone,
            country=country,
        )
        rate = [("rate", "0"), ("includesTax", "auto"), ("taxRate", "0")]
        self.admin.ask(
            "mutation($input: CreateShippingMethodInput!) { createShippingMethod(input: $input) { id } }",
            input={
                "code": "by-hand",
                "fulfillmentHandler": "manual-fulfillment",
                "checker": _operation("default-shipping-eligibility-checker", ("orderMinimum", "0")),
                "calculator": _operation("default-shipping-calculator", *rate),
                "translations": [{**_named("By hand"), "description": ""}],
            },
        )
        self.admin.ask(
            "mutation($input: CreatePaymentMethodInput!) { createPaymentMethod(input: $input) { id } }",
            input={
                "code": "made-up-money",
                "enabled": True,
                "handler": _operation("dummy-payment-handler", ("automaticSettle", "true")),
                "translations": [{**_named("Made-up money"), "description": ""}],
            },
        )

    def create(self, skus: Sequence[str]) -> None:
        """Create products with one variant each: ten times as fast as one product with many options."""
        names = range(len(skus))
        declared = ", ".join(f"$i{number}: CreateProductInput!" for number in names)
        calls = " ".join(f"p{number}: createProduct(input: $i{number}) {{ id }}" for number in names)
        answer = self.admin.send(
            f"mutation({declared}) {{ {calls} }}",
            {
                f"i{number}": {"translations": [{**_named(sku), "slug": sku.lower(), "description": ""}]}
                for number, sku in enumerate(skus)
            },
        )
        variants = [
            {
                "productId": answer["data"][f"p{number}"]["id"],
                "sku": sku,
                "price": 1000,
                "stockOnHand": 0,
                "translations": [_named(sku)],
            }
            for number, sku in enumerate(skus)
        ]
        self.admin.ask(
            "mutation($input: [CreateProductVariantInput!]!) { createProductVariants(input: $input) { id } }",
            input=variants,
        )


def _level(variant: Mapping[str, Any]) -> Level:
    (level,) = variant["stockLevels"]
    return Level(level["stockOnHand"], level["stockAllocated"], variant["stockLevel"])


def _named(name: str) -> dict[str, str]:
    return {"languageCode": "en", "name": name}


def _operation(code: str, *arguments: tuple[str, str]) -> dict[str, Any]:
    return {"code": code, "arguments": [{"name": name, "value": value} for name, value in arguments]}
