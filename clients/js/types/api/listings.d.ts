// Written by `python -m clients.generate`; a test compares it with the API.

import type { ListingStandingView, OnChannelView } from "./common.js";

/** Pieces of an order's line, by the channel's key of the line. */
export interface PiecesBody {
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  line: string;
  /** Units. */
  quantity: number;
}

/** Commands of the outbox, by their ids. */
export interface CommandIds {
  ids: readonly string[];
}

/** How many listings were put; `unknown_skus`: those that stock does not know, shown as 0 until it does. */
export interface ListingsPut {
  listings: number;
  unknown_skus: readonly string[];
}

/** Orders of a channel, by their numbers. */
export interface OrderNumbers {
  orders: readonly string[];
}

/**
 * A command. `asked_by`: a key's name, or a rule. `sent_at`: when it last left.
 *
 * `reason`: why the channel does not take it, in its words. `remote_id`: its name of what was made.
 */
export interface OutboxEntryView {
  id: string;
  order: string;
  command: string;
  state:
    | "cancelled"
    | "done"
    | "refused"
    | "sending"
    | "superseded"
    | "undecided"
    | "unsure"
    | "waiting"
    | (string & {});
  asked_by: string;
  created_at: string;
  changed_at: string;
  sent_at: string | null;
  tries: number;
  reason: string;
  remote_id: string;
}

/**
 * What was asked for will be done. `ids`: of commands, or numbers of orders.
 *
 * `publisher_missing`: nobody takes it up just now; it waits.
 */
export interface Remembered {
  channel: string;
  ids: readonly string[];
  publisher_missing: boolean;
}

/** The query of `GET /v1/channels/{channel}/outbox`. */
export interface IntakeReadOutboxQuery {
  state?: "cancelled" | "done" | "refused" | "sending" | "superseded" | "undecided" | "unsure" | "waiting" | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  order?: string | undefined;
  after?: string | undefined;
  limit?: number | undefined;
}

/** The query of `GET /v1/channels/{channel}/listings`. */
export interface ListingsReadQuery {
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | undefined;
  /** The SKU's name on the channel: 1–256 bytes of printable UTF-8. */
  key?: string | undefined;
  /** A name, a part of it, a key or a barcode. */
  q?: string | undefined;
  state?: "pending" | "refused" | "shown" | "unlisted" | undefined;
  after?: string | undefined;
  limit?: number | undefined;
}

/**
 * What is to be said about an order. Which fields count depends on `command`.
 *
 * refuse: `lines`, `reason`. ship: `lines`, `package`, `carrier`, `tracking`, `url`. invoice:
 * `number`, `url`, `package`. settle_return: `case`, `lines`, `accept`, `reason`. label: `package`,
 * `format`.
 */
export interface CommandBody {
  command: "acknowledge" | "invoice" | "label" | "refuse" | "settle_return" | "ship";
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  order: string;
  lines?: readonly PiecesBody[] | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  reason?: string | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  package?: string | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  carrier?: string | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  tracking?: string | undefined;
  url?: string | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  number?: string | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  case?: string | undefined;
  accept?: boolean | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  format?: string | undefined;
}

/** Some commands, the newest first. `complete` false: there are more, from `next` on. */
export interface OutboxList {
  commands: readonly OutboxEntryView[];
  complete: boolean;
  next: string;
}

/** Some listings, in no order; `next` is the `after` of the next page, empty on the last. */
export interface ListingPage {
  listings: readonly ListingStandingView[];
  next: string;
}

/** What each configured channel shows of a SKU, and should show. */
export interface SkuOnChannels {
  sku: string;
  channels: readonly OnChannelView[];
}
