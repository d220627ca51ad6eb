"""The documents of Shopify's orders, and the form of their answers.

Lists within lists cost points by their length, so the inner ones are short, and what does not fit is asked for apart.
"""

from decimal import Decimal
from typing import Any, Final, Generic, TypeVar

import msgspec

R = TypeVar("R")

PAGE: Final = 50
"""Orders of one page of changes; of each no more than its id and its time."""
LINES: Final = 50
"""Lines of one page of an order."""
PARTS_MAX: Final = 20
"""Parcels, and refunds, of one order; more are not read."""
LIST_POINTS: Final = 20.0
ORDER_POINTS: Final = 150.0
PARTS_POINTS: Final = 300.0
"""Guesses; the bucket that each answer reports corrects them."""

ORDERS: Final = """\
query HoldfastOrders($query: String!, $after: String, $first: Int!) {
  orders(first: $first, after: $after, sortKey: UPDATED_AT, query: $query) {
    nodes { id updatedAt }
    pageInfo { hasNextPage endCursor }
  }
}
"""
ORDER: Final = """\
query HoldfastOrder($id: ID!, $after: String, $first: Int!, $buyer: Boolean!) {
  order(id: $id) {
    id createdAt updatedAt cancelledAt displayFinancialStatus displayFulfillmentStatus
    currencyCode taxesIncluded totalPriceSet { shopMoney { amount } }
    email @include(if: $buyer)
    note @include(if: $buyer)
    shippingAddress @include(if: $buyer) { ...place }
    billingAddress @include(if: $buyer) { ...place }
    lineItems(first: $first, after: $after) {
      nodes {
        id sku title quantity currentQuantity unfulfilledQuantity requiresShipping
        variant { inventoryItem { id } }
        originalUnitPriceSet { shopMoney { amount } }
      }
      pageInfo { hasNextPage endCursor }
    }
  }
}
fragment place on MailingAddress { name company address1 address2 city province zip countryCodeV2 phone }
"""
PARTS: Final = """\
query HoldfastOrderParts($id: ID!) {
  order(id: $id) {
    updatedAt
    fulfillments(first: 20) {
      id status trackingInfo(first: 1) { number url company }
      fulfillmentLineItems(first: 5) { nodes { quantity lineItem { id } } pageInfo { hasNextPage endCursor } }
    }
    refunds(first: 20) {
      id
      refundLineItems(first: 5) { nodes { quantity restockType lineItem { id } } pageInfo { hasNextPage endCursor } }
    }
    fulfillmentOrders(first: 20) {
      nodes {
        id status assignedLocation { location { id } }
        lineItems(first: 5) {
          nodes { id remainingQuantity totalQuantity lineItem { id } } pageInfo { hasNextPage endCursor }
        }
      }
    }
  }
}
"""
REST: Final = """\
query HoldfastOrderRest($id: ID!, $after: String) {
  node(id: $id) {
    ... on Fulfillment {
      fulfillmentLineItems(first: 100, after: $after) {
        nodes { quantity lineItem { id } } pageInfo { hasNextPage endCursor }
      }
    }
    ... on Refund {
      refundLineItems(first: 100, after: $after) {
        nodes { quantity restockType lineItem { id } } pageInfo { hasNextPage endCursor }
      }
    }
    ... on FulfillmentOrder {
      lineItems(first: 100, after: $after) {
        nodes { id remainingQuantity totalQuantity lineItem { id } } pageInfo { hasNextPage endCursor }
      }
    }
  }
}
"""
SHIP: Final = """\
mutation HoldfastSayShipped($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) { fulfillment { id } userErrors { field message } }
}
"""
CANCEL: Final = """\
mutation HoldfastSayCancelled(
  $id: ID!, $reason: OrderCancelReason!, $refund: OrderCancelRefundMethodInput, $notify: Boolean
) {
  orderCancel(orderId: $id, reason: $reason, restock: false, refundMethod: $refund, notifyCustomer: $notify) {
    job { id } userErrors { field message }
  }
}
"""
BEGIN_EDIT: Final = """\
mutation HoldfastBeginEdit($id: ID!) {
  orderEditBegin(id: $id) { calculatedOrder { id } userErrors { field message } }
}
"""
SET_QUANTITY: Final = """\
mutation HoldfastSetEdited($id: ID!, $line: ID!, $quantity: Int!) {
  orderEditSetQuantity(id: $id, lineItemId: $line, quantity: $quantity, restock: false) {
    calculatedOrder { id } userErrors { field message }
  }
}
"""
COMMIT_EDIT: Final = """\
mutation HoldfastSayEdited($id: ID!, $notify: Boolean) {
  orderEditCommit(id: $id, notifyCustomer: $notify) { order { id } userErrors { field message } }
}
"""


class Named(msgspec.Struct, frozen=True):
    """Something with an id."""

    id: str


class PageInfo(msgspec.Struct, frozen=True, rename="camel"):
    """Whether a list goes on, and from where."""

    has_next_page: bool
    end_cursor: str | None = None


class Connection(msgspec.Struct, Generic[R], frozen=True, rename="camel"):
    """A page of a list."""

    nodes: list[R]
    page_info: PageInfo


class ListedOrder(msgspec.Struct, frozen=True, rename="camel"):
    """An order in the list of changes."""

    id: str
    updated_at: Any


class Money(msgspec.Struct, frozen=True):
    """An amount."""

    amount: Decimal


class MoneySet(msgspec.Struct, frozen=True, rename="camel"):
    """An amount in the shop's currency."""

    shop_money: Money


class Variant(msgspec.Struct, frozen=True, rename="camel"):
    """What was bought; None: it is nothing of the catalogue, or was deleted."""

    inventory_item: Named | None = None


class LineRow(msgspec.Struct, frozen=True, rename="camel"):
    """A line. ``current_quantity``: without what was taken off it or refunded."""

    id: str
    quantity: int
    current_quantity: int
    unfulfilled_quantity: int
    sku: str | None = None
    title: str | None = None
    requires_shipping: bool = True
    variant: Variant | None = None
    original_unit_price_set: MoneySet | None = None


class Place(msgspec.Struct, frozen=True):
    """An address."""

    name: str | None = None
    company: str | None = None
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    province: str | None = None
    zip: str | None = None
    country_code: str | None = msgspec.field(default=None, name="countryCodeV2")
    phone: str | None = None


class OrderRow(msgspec.Struct, frozen=True, rename="camel"):
    """An order without its parts."""

    id: str
    created_at: str
    updated_at: str
    line_items: Connection[LineRow]
    cancelled_at: str | None = None
    display_financial_status: str | None = None
    display_fulfillment_status: str | None = None
    currency_code: str | None = None
    taxes_included: bool | None = None
    total_price_set: MoneySet | None = None
    email: str | None = None
    note: str | None = None
    shipping_address: Place | None = None
    billing_address: Place | None = None


class ParcelLine(msgspec.Struct, frozen=True, rename="camel"):
    """Pieces of a line in a parcel."""

    quantity: int
    line_item: Named


class Tracking(msgspec.Struct, frozen=True):
    """Where a parcel can be followed."""

    number: str | None = None
    url: str | None = None
    company: str | None = None


class Parcel(msgspec.Struct, frozen=True, rename="camel"):
    """A fulfilment: what has left, or is about to."""

    id: str
    status: str
    fulfillment_line_items: Connection[ParcelLine]
    tracking_info: list[Tracking] = []


class RefundLine(msgspec.Struct, frozen=True, rename="camel"):
    """Pieces that are paid back."""

    quantity: int
    restock_type: str
    line_item: Named


class Refund(msgspec.Struct, frozen=True, rename="camel"):
    """A refund."""

    id: str
    refund_line_items: Connection[RefundLine]


class TaskLine(msgspec.Struct, frozen=True, rename="camel"):
    """Pieces of a line that one location has to ship."""

    id: str
    remaining_quantity: int
    total_quantity: int
    line_item: Named


class AtLocation(msgspec.Struct, frozen=True):
    """A location; None: it was deleted."""

    location: Named | None = None


class Task(msgspec.Struct, frozen=True, rename="camel"):
    """A fulfilment order: what one location has to ship. Its id changes when it is split or moved."""

    id: str
    status: str
    line_items: Connection[TaskLine]
    assigned_location: AtLocation | None = None


class Tasks(msgspec.Struct, frozen=True):
    """The fulfilment orders of an order."""

    nodes: list[Task]


class PartsRow(msgspec.Struct, frozen=True, rename="camel"):
    """The parts of an order, as they stood at ``updated_at``."""

    updated_at: str
    fulfillments: list[Parcel]
    refunds: list[Refund]
    fulfillment_orders: Tasks
