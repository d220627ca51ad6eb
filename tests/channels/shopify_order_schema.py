"""The part of Shopify's Admin GraphQL schema that orders need, as the channel publishes it."""

from typing import Final

ORDER_SCHEMA: Final = """
scalar DateTime
scalar Decimal
enum OrderSortKeys { UPDATED_AT CREATED_AT ID }
enum OrderCancelReason { CUSTOMER DECLINED FRAUD INVENTORY OTHER STAFF }
type PageInfo { hasNextPage: Boolean! endCursor: String }
type MoneyV2 { amount: Decimal! currencyCode: String! }
type MoneyBag { shopMoney: MoneyV2! }
type ProductVariantOfLine { id: ID! inventoryItem: InventoryItem! }
type LineItem implements Node {
  id: ID! sku: String title: String! quantity: Int! currentQuantity: Int! unfulfilledQuantity: Int!
  requiresShipping: Boolean! variant: ProductVariantOfLine originalUnitPriceSet: MoneyBag!
}
type LineItemConnection { nodes: [LineItem!]! pageInfo: PageInfo! }
type MailingAddress {
  name: String company: String address1: String address2: String city: String province: String zip: String
  countryCodeV2: String phone: String
}
type FulfillmentTrackingInfo { number: String url: String company: String }
type FulfillmentLineItem { id: ID! quantity: Int lineItem: LineItem! }
type FulfillmentLineItemConnection { nodes: [FulfillmentLineItem!]! pageInfo: PageInfo! }
type Fulfillment implements Node {
  id: ID! status: String! trackingInfo(first: Int): [FulfillmentTrackingInfo!]!
  fulfillmentLineItems(first: Int, after: String): FulfillmentLineItemConnection!
}
type RefundLineItem { quantity: Int! restockType: String! lineItem: LineItem! }
type RefundLineItemConnection { nodes: [RefundLineItem!]! pageInfo: PageInfo! }
type Refund implements Node { id: ID! refundLineItems(first: Int, after: String): RefundLineItemConnection! }
type Location implements Node { id: ID! }
type FulfillmentOrderAssignedLocation { location: Location }
type FulfillmentOrderLineItem { id: ID! remainingQuantity: Int! totalQuantity: Int! lineItem: LineItem! }
type FulfillmentOrderLineItemConnection { nodes: [FulfillmentOrderLineItem!]! pageInfo: PageInfo! }
type FulfillmentOrder implements Node {
  id: ID! status: String! assignedLocation: FulfillmentOrderAssignedLocation!
  lineItems(first: Int, after: String): FulfillmentOrderLineItemConnection!
}
type FulfillmentOrderConnection { nodes: [FulfillmentOrder!]! pageInfo: PageInfo! }
type Order implements Node {
  id: ID! createdAt: DateTime! updatedAt: DateTime! cancelledAt: DateTime displayFinancialStatus: String
  displayFulfillmentStatus: String! currencyCode: String! taxesIncluded: Boolean! totalPriceSet: MoneyBag!
  email: String note: String shippingAddress: MailingAddress billingAddress: MailingAddress
  lineItems(first: Int, after: String): LineItemConnection!
  fulfillments(first: Int): [Fulfillment!]!
  refunds(first: Int): [Refund!]!
  fulfillmentOrders(first: Int, after: String): FulfillmentOrderConnection!
}
type OrderConnection { nodes: [Order!]! pageInfo: PageInfo! }
input FulfillmentOrderLineItemInput { id: ID! quantity: Int! }
input FulfillmentOrderLineItemsInput {
  fulfillmentOrderId: ID! fulfillmentOrderLineItems: [FulfillmentOrderLineItemInput!]
}
input FulfillmentTrackingInput { number: String url: String company: String }
input FulfillmentInput {
  lineItemsByFulfillmentOrder: [FulfillmentOrderLineItemsInput!]! trackingInfo: FulfillmentTrackingInput
  notifyCustomer: Boolean
}
input OrderCancelRefundMethodInput { originalPaymentMethodsRefund: Boolean }
type FulfillmentCreatePayload { fulfillment: Fulfillment userErrors: [UserError!]! }
type Job { id: ID! }
type OrderCancelPayload { job: Job userErrors: [UserError!]! }
type CalculatedOrder { id: ID! }
type OrderEditBeginPayload { calculatedOrder: CalculatedOrder userErrors: [UserError!]! }
type OrderEditSetQuantityPayload { calculatedOrder: CalculatedOrder userErrors: [UserError!]! }
type OrderEditCommitPayload { order: Order userErrors: [UserError!]! }
extend type Query {
  node(id: ID!): Node
  order(id: ID!): Order
  orders(first: Int, after: String, sortKey: OrderSortKeys, query: String): OrderConnection!
}
extend type Mutation {
  fulfillmentCreate(fulfillment: FulfillmentInput!): FulfillmentCreatePayload
  orderCancel(
    orderId: ID! reason: OrderCancelReason! restock: Boolean! refundMethod: OrderCancelRefundMethodInput
    notifyCustomer: Boolean staffNote: String
  ): OrderCancelPayload
  orderEditBegin(id: ID!): OrderEditBeginPayload
  orderEditSetQuantity(id: ID!, lineItemId: ID!, quantity: Int!, restock: Boolean): OrderEditSetQuantityPayload
  orderEditCommit(id: ID!, notifyCustomer: Boolean, staffNote: String): OrderEditCommitPayload
}
"""
