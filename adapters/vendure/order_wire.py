"""Orders in Vendure's admin API: the queries, the form of their answers, and what they are as a snapshot."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from adapters.contract.orders import Address, Buyer, Order, OrderLine, OrderState, Package, PackageState, Unreadable
from adapters.vendure.graphql import Wire

KeyIs = Literal["id", "sku"]
ShippedIs = Literal["shipped", "fulfilled"]

ORDERS: Final = """query orders($options: OrderListOptions!) {
  globalSettings { serverConfig { moneyStrategyPrecision } }
  orders(options: $options) {
    items {
      id code type state updatedAt orderPlacedAt currencyCode totalWithTax
      lines {
        id quantity orderPlacedQuantity unitPriceWithTax proratedUnitPriceWithTax taxRate
        productVariant { id sku name }
      }
      modifications { lines { orderLineId quantity } }
      fulfillments { id state updatedAt method trackingCode lines { orderLineId quantity } }
      customer { id firstName lastName emailAddress phoneNumber }
      shippingAddress { ...address }
      billingAddress { ...address }
    }
  }
}
fragment address on OrderAddress {
  fullName company streetLine1 streetLine2 city province postalCode countryCode phoneNumber
}"""
FULFIL: Final = """mutation fulfil($input: FulfillOrderInput!) {
  result: addFulfillmentToOrder(input: $input) {
    __typename ... on Fulfillment { id } ... on ErrorResult { errorCode message }
    ... on CreateFulfillmentError { fulfillmentHandlerError }
    ... on FulfillmentStateTransitionError { transitionError }
  }
}"""
SHIP: Final = """mutation ship($id: ID!) {
  result: transitionFulfillmentToState(id: $id, state: "Shipped") {
    __typename ... on Fulfillment { id } ... on ErrorResult { errorCode message }
    ... on FulfillmentStateTransitionError { transitionError }
  }
}"""
CANCEL: Final = """mutation cancel($input: CancelOrderInput!) {
  result: cancelOrder(input: $input) {
    __typename ... on Order { id } ... on ErrorResult { errorCode message }
    ... on OrderStateTransitionError { transitionError }
  }
}"""

NOT_PLACED: Final = frozenset({"Created", "Draft", "AddingItems", "ArrangingPayment"})
"""States in which nothing has been bought; the shop has allocated nothing."""
OUT: Final = frozenset({"Shipped", "Delivered"})
_STATES: Final[dict[str, OrderState]] = {"Cancelled": "cancelled", "Delivered": "closed"}
_PARCELS: Final[dict[str, PackageState]] = {"Shipped": "shipped", "Delivered": "delivered", "Cancelled": "dissolved"}


class LineQuantity(Wire, frozen=True):
    """So many pieces of a line."""

    order_line_id: str
    quantity: int


class Modification(Wire, frozen=True):
    """A change of an order by an administrator; its quantities are differences."""

    lines: list[LineQuantity]


class Fulfilment(Wire, frozen=True):
    """A parcel. Its units leave the shop's stock when it is made, long before it is ``Shipped``."""

    id: str
    state: str
    updated_at: datetime
    lines: list[LineQuantity]
    method: str = ""
    tracking_code: str | None = None


class SoldVariant(Wire, frozen=True):
    """What was bought."""

    id: str
    sku: str
    name: str = ""


class Line(Wire, frozen=True):
    """A line: ``quantity`` is what is left of it."""

    id: str
    quantity: int
    order_placed_quantity: int
    unit_price_with_tax: int
    prorated_unit_price_with_tax: int
    tax_rate: float
    product_variant: SoldVariant


class Place(Wire, frozen=True):
    """An address."""

    full_name: str | None = None
    company: str | None = None
    street_line1: str | None = None
    street_line2: str | None = None
    city: str | None = None
    province: str | None = None
    postal_code: str | None = None
    country_code: str | None = None
    phone_number: str | None = None


class Customer(Wire, frozen=True):
    """Who has bought."""

    id: str
    first_name: str | None = None
    last_name: str | None = None
    email_address: str | None = None
    phone_number: str | None = None


class ShopOrder(Wire, frozen=True):
    """An order. Its ``updated_at`` is not moved by parcels."""

    id: str
    code: str
    type: str
    state: str
    updated_at: datetime
    currency_code: str
    total_with_tax: int
    lines: list[Line]
    modifications: tuple[Modification, ...] = ()
    fulfillments: list[Fulfilment] | None = None
    order_placed_at: datetime | None = None
    customer: Customer | None = None
    shipping_address: Place | None = None
    billing_address: Place | None = None

    @property
    def is_placed(self) -> bool:
        """Whether it was bought, and is not the sum of the orders of several sellers."""
        return self.state not in NOT_PLACED and self.type != "Aggregate"


class OrderList(Wire, frozen=True):
    """A page of orders, each to be read by itself: one of another form must not hide the others."""

    items: list[dict[str, Any]]


class OrdersAnswer(Wire, frozen=True):
    """The data of :data:`ORDERS`."""

    global_settings: dict[str, dict[str, Any]]
    orders: OrderList

    @property
    def decimals(self) -> int:
        """How many decimals a price has."""
        return int(self.global_settings["serverConfig"]["moneyStrategyPrecision"])


class Result(Wire, frozen=True):
    """What a mutation answers: what it made, or an error that is one of the shop's own."""

    id: str = ""
    error_code: str = ""
    message: str = ""
    transition_error: str = ""
    fulfillment_handler_error: str = ""

    @property
    def reason(self) -> str:
        """The error in the shop's own words."""
        return " ".join(filter(None, (self.message, self.transition_error, self.fulfillment_handler_error)))


class ResultAnswer(Wire, frozen=True):
    """The data of a mutation."""

    result: Result


def read(rows: Iterable[dict[str, Any]]) -> tuple[list[ShopOrder], list[Unreadable]]:
    """Return the orders of a page, and those that are of another form."""
    orders, unreadable = list[ShopOrder](), list[Unreadable]()
    for row in rows:
        try:
            orders.append(msgspec.convert(row, ShopOrder))
        except msgspec.ValidationError as error:
            unreadable.append(Unreadable(key=str(row.get("code") or ""), reason=str(error)))
    return orders, unreadable


# -- as a snapshot


def snapshot(order: ShopOrder, decimals: int, key_is: KeyIs, shipped_is: ShippedIs) -> Order:
    """Return an order as it stands."""
    parcels = order.fulfillments or []
    out = [each for each in parcels if _is_out(each, shipped_is)]
    shipped = _counted(line for parcel in out for line in parcel.lines)
    raised = _counted(line for change in order.modifications for line in change.lines if line.quantity > 0)
    placed_at = order.order_placed_at or order.updated_at
    lines = (_line(each, raised[each.id], shipped[each.id], decimals, key_is) for each in order.lines)
    return Order(
        key=order.code,
        changed_ms=max(_ms(order.updated_at), *(_ms(each.updated_at) for each in parcels), 0),
        complete=True,
        state=_STATES.get(order.state, "open"),
        status=order.state,
        placed_ms=_ms(placed_at),
        currency=order.currency_code,
        total=_money(order.total_with_tax, decimals),
        unit_prices_have_vat=True,
        lines=tuple(line for line in lines if line.ordered),
        packages=tuple(_package(each) for each in parcels),
        buyer=_buyer(order),
    )


def _line(line: Line, raised: int, gone: int, decimals: int, key_is: KeyIs) -> OrderLine:
    """Return a line by its cumulative quantities.

    A cancel takes pieces off ``quantity``, whether they have left or not: those that have are the ones that came back.
    """
    ordered = max(line.order_placed_quantity + raised, line.quantity)
    returned = max(0, gone - line.quantity)
    variant = line.product_variant
    discount = line.unit_price_with_tax - line.prorated_unit_price_with_tax
    return OrderLine(
        key=line.id,
        listing=variant.id if key_is == "id" else variant.sku,
        sku_hint=variant.sku,
        title=variant.name,
        ordered=ordered,
        cancelled=max(0, ordered - line.quantity - returned),
        shipped=gone,
        returned=returned,
        unit_price=_money(line.unit_price_with_tax, decimals),
        discount=_money(discount, decimals) if discount else "",
        vat_rate=f"{line.tax_rate:g}",
    )


def _package(parcel: Fulfilment) -> Package:
    return Package(
        key=parcel.id,
        state=_PARCELS.get(parcel.state, "living"),
        status=parcel.state,
        lines=tuple((line.order_line_id, line.quantity) for line in parcel.lines),
        tracking=parcel.tracking_code or "",
        carrier=parcel.method,
    )


def _is_out(parcel: Fulfilment, shipped_is: ShippedIs) -> bool:
    return parcel.state in OUT if shipped_is == "shipped" else parcel.state != "Cancelled"


def _buyer(order: ShopOrder) -> Buyer:
    who = order.customer or Customer("")
    return Buyer(
        id=who.id,
        name=" ".join(filter(None, (who.first_name, who.last_name))),
        email=who.email_address or "",
        phone=who.phone_number or "",
        shipping=_address(order.shipping_address),
        billing=_address(order.billing_address),
    )


def _address(place: Place | None) -> Address | None:
    if place is None or not place.street_line1:  # Vendure has an empty object where nobody gave one
        return None
    return Address(
        name=place.full_name or "",
        company=place.company or "",
        lines=tuple(filter(None, (place.street_line1, place.street_line2))),
        city=place.city or "",
        region=place.province or "",
        postal_code=place.postal_code or "",
        country=place.country_code or "",
        phone=place.phone_number or "",
    )


def _counted(lines: Iterable[LineQuantity]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for line in lines:
        counted[line.order_line_id] += line.quantity
    return counted


def _money(units: int, decimals: int) -> str:
    return format(Decimal(units).scaleb(-decimals), "f")


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
