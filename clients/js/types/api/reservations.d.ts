// Written by `python -m clients.generate`; a test compares it with the API.

import type { IndexView, LineBody, ReservationView, SourcingBody } from "./common.js";
import type { Problem } from "./problems.js";

/**
 * A part of a reservation: units of a line, or what `key` or `barcode` names in place of it.
 *
 * `key`: so many pieces of what the channel ordered under it. `barcode`: so many packs, of any lines of the SKU.
 */
export interface PartBody {
  /** The line's place, counted from 1. */
  line?: number | undefined;
  /** Units. */
  quantity: number;
  /** The SKU's name on the channel: 1–256 bytes of printable UTF-8. */
  key?: string | undefined;
  /** What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \u001d. */
  barcode?: string | undefined;
}

/**
 * With `quantity`: how many units a line is to have, or all lines of a SKU together; 0 drops them.
 *
 * Without: `line` and `sku`, the SKU that an unmapped line is for. `location`: where units are taken from.
 * `barcode` in place of `sku`: `quantity` counts packs.
 */
export interface ChangeLineBody {
  /** The line's place, counted from 1. */
  line?: number | undefined;
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | undefined;
  /** Units. */
  quantity?: number | undefined;
  /** What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \u001d. */
  barcode?: string | undefined;
}

/** Move the deadline to `ttl_s` from now; it never moves back. */
export interface ExtendBody {
  /** Seconds; at most 24 hours. */
  ttl_s: number;
}

/** Which reservation to read, for an id that cannot stand in a path. */
export interface LookupBody {
  /** Yours, 1–64 bytes of printable UTF-8; also the key that makes a retry safe. */
  reservation_id: string;
}

/** Take what a line has reserved, or `quantity` of it, from the location `to`. */
export interface RelocateLineBody {
  /** The line's place, counted from 1. */
  line: number;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  to: string;
  /** Units. */
  quantity?: number | null | undefined;
}

/**
 * Shipped units of one line that came back. Without a location: to where they were shipped from.
 *
 * `key` in place of `line`: so many pieces of what the channel ordered under it. `barcode`: so many packs, of
 * any lines of the SKU.
 */
export interface ReturnPartBody {
  /** The line's place, counted from 1. */
  line?: number | undefined;
  /** Units. */
  quantity: number;
  disposition: "damaged" | "quality_control" | "restock";
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | null | undefined;
  /** The SKU's name on the channel: 1–256 bytes of printable UTF-8. */
  key?: string | undefined;
  /** What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \u001d. */
  barcode?: string | undefined;
}

/** The query of `GET /v1/reservations`. */
export interface ReservationsReadManyQuery {
  state?: "backordered" | "cancelled" | "committed" | "expired" | "fulfilled" | "held" | "released" | undefined;
  /** Where it is sold: 1–64 bytes of printable UTF-8. */
  channel?: string | undefined;
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | undefined;
  /** Only those with a line that waits for a SKU. */
  unmapped?: boolean | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  order_ref?: string | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  customer_ref?: string | undefined;
  from?: string | Date | undefined;
  to?: string | Date | undefined;
  sort?: "-created" | "created" | undefined;
  after?: string | undefined;
  limit?: number | undefined;
}

/** Cancel the named parts of what is committed, or all. `on_unknown`: as in a release. */
export interface CancelBody {
  lines?: readonly PartBody[] | null | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  reason?: string | null | undefined;
  on_unknown?: "refuse" | "remember" | undefined;
}

/** Release the named parts, or all. `on_unknown`: `remember` it for a reservation that is not there yet. */
export interface ReleaseBody {
  lines?: readonly PartBody[] | null | undefined;
  on_unknown?: "refuse" | "remember" | undefined;
  /** Why: 1–256 bytes of printable UTF-8; the history keeps it. */
  reason?: string | undefined;
}

/**
 * Change how many units lines have, or give unmapped lines their SKUs: all that are named, or none.
 *
 * `ttl_s` moves the deadline of a hold as well. `on_shortage: accept`: the order is sold already.
 */
export interface ChangeLinesBody {
  lines: readonly ChangeLineBody[];
  /** Seconds; at most 24 hours. */
  ttl_s?: number | undefined;
  on_shortage?: "accept" | "reject" | undefined;
}

/** Take reserved units from other locations: all that is named, or nothing. */
export interface RelocateBody {
  lines: readonly RelocateLineBody[];
  /** Why: 1–256 bytes of printable UTF-8; the history keeps it. */
  reason?: string | undefined;
}

/** What came back, and what becomes of it. */
export interface ReturnBody {
  lines: readonly ReturnPartBody[];
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  reason?: string | null | undefined;
  /** True: new names are meant, even if known ones are like them. */
  allow_similar?: boolean | undefined;
}

/**
 * Commit the named parts, or all. What is not named is released, or kept until its deadline.
 *
 * Open lines are taken from where `sourcing` says, if units are there, or from `location` and nowhere else.
 */
export interface CommitBody {
  lines?: readonly PartBody[] | null | undefined;
  /** Without it: "release". */
  remainder?: "keep" | "release" | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  order_ref?: string | null | undefined;
  sourcing?: SourcingBody | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | undefined;
}

/** Ship the named parts of what is committed, or all; open lines from where `sourcing` or `location` says. */
export interface FulfilBody {
  lines?: readonly PartBody[] | null | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  tracking?: string | null | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  carrier?: string | null | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  invoice_ref?: string | null | undefined;
  sourcing?: SourcingBody | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | undefined;
  /** Why: 1–256 bytes of printable UTF-8; the history keeps it. */
  reason?: string | undefined;
}

/** Reserve and commit at once. `on_shortage: accept`: it is sold already, so record what is missing. */
export interface OrderBody {
  /** Where it is sold: 1–64 bytes of printable UTF-8. */
  channel: string;
  lines: readonly LineBody[];
  /** Yours, 1–64 bytes of printable UTF-8; also the key that makes a retry safe. */
  reservation_id?: string | null | undefined;
  /** Without it: "reject". */
  on_shortage?: "accept" | "reject" | undefined;
  /** Without it: "all_or_nothing". */
  policy?: "all_or_nothing" | "backorder" | "partial" | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  order_ref?: string | null | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  customer_ref?: string | null | undefined;
  flags?: readonly string[] | undefined;
  sourcing?: SourcingBody | undefined;
}

/** Reserve units while a customer pays. Without ttl_s the server's default applies. */
export interface ReserveBody {
  /** Where it is sold: 1–64 bytes of printable UTF-8. */
  channel: string;
  lines: readonly LineBody[];
  /** Yours, 1–64 bytes of printable UTF-8; also the key that makes a retry safe. */
  reservation_id?: string | null | undefined;
  /** Seconds; at most 24 hours. */
  ttl_s?: number | null | undefined;
  /** Without it: "all_or_nothing". */
  policy?: "all_or_nothing" | "backorder" | "partial" | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  order_ref?: string | null | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  customer_ref?: string | null | undefined;
  flags?: readonly string[] | undefined;
  sourcing?: SourcingBody | undefined;
}

/** What came back, and what is reserved instead. `returned.availability` is what both have left. */
export interface ExchangeView {
  returned: ReservationView;
  reservation: ReservationView;
}

/**
 * Reservations that match; `next` is the `after` of the next page, empty on the last.
 *
 * `index`: how old the index is, where the query asks for what only that knows.
 */
export interface ReservationPage {
  reservations: readonly ReservationView[];
  next: string;
  index?: IndexView;
}

/** One result of a batch: the status and outcome that it would have had alone. */
export interface ReservationResult {
  status: number;
  outcome: string;
  reservation_id: string;
  replayed?: boolean;
  reservation?: ReservationView | null;
  problem?: Problem | null;
}

/** What comes back, and what is reserved instead: either a `reservation` or an `order`. */
export interface ExchangeBody {
  return: ReturnBody;
  reservation?: ReserveBody | undefined;
  order?: OrderBody | undefined;
}

/** Up to 500 reservations, each on its own. */
export interface ReserveManyBody {
  reservations: readonly ReserveBody[];
}

/** In the order of the request. */
export interface ReservationResults {
  results: readonly ReservationResult[];
}
