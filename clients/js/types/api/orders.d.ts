// Written by `python -m clients.generate`; a test compares it with the API.

import type { OrderShortageView, ReservationView } from "./common.js";

/** Where something is sent, or who is billed. */
export interface AddressView {
  name: string;
  company: string;
  lines: readonly string[];
  city: string;
  district: string;
  region: string;
  postal_code: string;
  country: string;
  phone: string;
  tax_number: string;
  tax_office: string;
}

/** The personal data of an order is gone, and stays so. `was_kept`: something of the order was here. */
export interface Erased {
  channel: string;
  number: string;
  was_kept: boolean;
}

/**
 * Why an order, or a part of it, is not booked. `listings`: the channel's keys that no SKU is known for.
 *
 * `flags`: as of :class:`OrderSummary`.
 */
export interface InboxView {
  channel: string;
  number: string;
  state: "ignored" | "open" | (string & {});
  reason: string;
  detail: string;
  listings: readonly string[];
  first_at: string;
  last_at: string;
  tries: number;
  actor: string;
  flags: readonly ("repeat" | "return" | (string & {}))[];
}

/** A note on an order, for people. */
export interface NoteBody {
  text: string;
}

/** A line as the channel told it: cumulative quantities, in its own pieces; money as decimal text for one piece. */
export interface OrderLineView {
  key: string;
  listing: string;
  barcode: string;
  sku_hint: string;
  title: string;
  ordered: number;
  cancelled: number;
  shipped: number;
  returned: number;
  fulfilled_by: string;
  unit_price: string;
  discount: string;
  vat_rate: string;
}

/** What a person wrote about the order. */
export interface OrderNoteView {
  at: string;
  actor: string;
  text: string;
}

/** Units that an order took: of a SKU at a location. `lacks`: so many of them were not there. */
export interface OrderStockView {
  sku: string;
  location: string;
  quantity: number;
  lacks: number;
}

/** One step of the order's history. */
export interface TimelineView {
  at: string;
  kind: string;
  text: string;
  actor: string;
}

/** Pieces of a line in a package. */
export interface PackedView {
  line: string;
  quantity: number;
}

/** What a command about an order was answered with, such as a label; `content` is base64, in MessagePack bytes. */
export interface PaperView {
  channel: string;
  number: string;
  id: string;
  kind: string;
  media_type: string;
  content: string;
}

/** What comes back. `reason` is shown to a key with the scope admin only. */
export interface ReturnLineView {
  line: string;
  listing: string;
  quantity: number;
  reason: string;
}

/** The query of `GET /v1/orders`. */
export interface OrdersReadManyQuery {
  /** Where it is sold: 1–64 bytes of printable UTF-8. */
  channel?: string | undefined;
  state?: string | undefined;
  /** The number of an order at its channel: 1–1,024 bytes of UTF-8; it is booked up to 128. */
  number?: string | undefined;
  customer?: string | undefined;
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | undefined;
  short?: boolean | undefined;
  unmapped?: boolean | undefined;
  from?: string | Date | undefined;
  to?: string | Date | undefined;
  after?: string | undefined;
  limit?: number | undefined;
}

/** The query of `GET /v1/inbox`. */
export interface OrdersReadInboxQuery {
  /** Where it is sold: 1–64 bytes of printable UTF-8. */
  channel?: string | undefined;
  state?: "ignored" | "open" | undefined;
  after?: string | undefined;
  limit?: number | undefined;
}

/** Who has bought: personal data. */
export interface BuyerView {
  name: string;
  email: string;
  phone: string;
  identity_number: string;
  note: string;
  shipping: AddressView | null;
  billing: AddressView | null;
}

/** What the process that reads the channel is to do about an order; `publisher_missing`: none does it now. */
export interface InboxAsked {
  entry: InboxView;
  asked: "ignore" | "map" | "retry" | (string & {});
  publisher_missing: boolean;
}

/** What could not be booked, the oldest first; `next` is the `after` of the next page, empty on the last. */
export interface InboxPage {
  entries: readonly InboxView[];
  next: string;
}

/**
 * An order, in short, as it was when it was last booked at `booked_at`; null: that is still to be done.
 *
 * `state`: of the booking, empty before it. `channel_state` and `status`: the channel's own. `short`: units
 * that were missing, `unmapped`: lines whose SKU is known nowhere, `reason`: why it stands in the inbox.
 * `customer_ref` is the same for all orders of a buyer at the channel, and tells nobody who it is. `flags`:
 * "repeat" where that buyer has ordered before, "return" where something comes back.
 */
export interface OrderSummary {
  channel: string;
  number: string;
  state: string;
  channel_state: string;
  status: string;
  placed_at: string | null;
  changed_at: string | null;
  first_seen_at: string;
  booked_at: string | null;
  currency: string;
  total: string;
  customer_ref: string;
  flags: readonly ("repeat" | "return" | (string & {}))[];
  short: number;
  unmapped: number;
  reason: string;
  stock: readonly OrderStockView[];
  reservations: readonly string[];
}

/** A parcel of the order. `tracking` and `url` are shown to a key with the scope admin only. */
export interface PackageView {
  key: string;
  state: string;
  carrier: string;
  tracking: string;
  url: string;
  lines: readonly PackedView[];
}

/** A return as the channel tells it; only a person's word on the goods moves stock. */
export interface ReturnView {
  key: string;
  state: string;
  changed_at: string | null;
  deadline_at: string | null;
  replacement: boolean;
  lines: readonly ReturnLineView[];
}

/** Orders, the newest first; `next` is the `after` of the next page, empty on the last. */
export interface OrderPage {
  orders: readonly OrderSummary[];
  next: string;
}

/**
 * An order with all that is kept of it, and its reservations as they are now, the first 20 of them.
 *
 * `shortages`: what these lack now, and which other locations have it.
 * `personal`: whether buyer, notes, tracking and reasons are here: "shown", "hidden" from a key without the scope
 * admin, "erased" or over their time at `erased_at`, or "none" where the channel told nothing.
 */
export interface OrderView {
  order: OrderSummary;
  lines: readonly OrderLineView[];
  packages: readonly PackageView[];
  reservations: readonly ReservationView[];
  personal: "erased" | "hidden" | "none" | "shown" | (string & {});
  erased_at: string | null;
  buyer: BuyerView | null;
  notes: readonly OrderNoteView[];
  returns: readonly ReturnView[];
  timeline: readonly TimelineView[];
  inbox: InboxView | null;
  shortages: readonly OrderShortageView[];
}
