// Written by `python -m clients.generate`; a test compares it with the API.

import type { LocationAvailable, OrderShortageView } from "./common.js";

/** The query of `GET /v1/shortages`. */
export interface ShortagesReadQuery {
  after?: string | undefined;
  limit?: number | undefined;
}

/** The query of `GET /v1/shortages/preview`. */
export interface ShortagePreviewReadQuery {
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku: string;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location: string;
  fewer: number;
}

/**
 * A reserved line that will not get all of its `quantity`: it `lacks` so many units.
 *
 * `other_locations`: where its channel may take units from now, five at most, those with most units first; the line
 * can be moved there. null: there was no time to look.
 */
export interface ShortLineView {
  reservation_id: string;
  line: number;
  channel: string;
  state: string;
  order_ref: string;
  flags: readonly string[];
  created_at: string;
  quantity: number;
  lacks: number;
  other_locations: readonly LocationAvailable[] | null;
}

/** What the lines of one reservation lack now; empty: nothing. */
export interface OrderShortageList {
  shortages: readonly OrderShortageView[];
}

/**
 * A SKU that is short by so many units at a location, and whose they are: the newest first, those flagged vip last.
 *
 * `lines_complete` false: there were too many reservations to look at all, so the lines are a guess.
 */
export interface ShortageView {
  sku: string;
  location: string;
  short: number;
  lines: readonly ShortLineView[];
  lines_complete: boolean;
}

/** What is short; `next` is the `after` of the next page, empty on the last. */
export interface ShortageList {
  shortages: readonly ShortageView[];
  next: string;
}

/** What would be short then; empty: nothing. */
export interface ShortagePreview {
  shortages: readonly ShortageView[];
}
