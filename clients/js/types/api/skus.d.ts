// Written by `python -m clients.generate`; a test compares it with the API.

import type { IndexView, OnChannelView } from "./common.js";

/** The SKU that was deleted. */
export interface DeletedView {
  sku: string;
}

/** The key under which the channel has no pack or bundle now. */
export interface KeyDeleted {
  channel: string;
  key: string;
}

/** The SKU that has no listing on the channel now. */
export interface ListingDeleted {
  channel: string;
  sku: string;
}

/** `sku`: the old name, which goes on to work; `to`: the new one. */
export interface RenamedView {
  sku: string;
  to: string;
}

/** The query of `DELETE /v1/channels/{channel}/listings`. */
export interface RenamesDeletePackQuery {
  /** The SKU's name on the channel: 1–256 bytes of printable UTF-8. */
  key: string;
}

/** The query of `GET /v1/skus`. */
export interface FindingReadSkusQuery {
  /** A name, a part of it, a key or a barcode. */
  q?: string | undefined;
  /** What is sold: 1–128 bytes of printable UTF-8. */
  prefix?: string | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | undefined;
  /** Where it is sold: 1–64 bytes of printable UTF-8. */
  channel?: string | undefined;
  state?: "held" | "low" | "out" | "short" | "untracked" | undefined;
  sort?: "-available" | "-changed" | "available" | "sku" | undefined;
  show?: "channels" | undefined;
  after?: string | undefined;
  limit?: number | undefined;
}

/**
 * A SKU, and what it has at one location or at all, in units. `short`: reserved units that are not on the shelf.
 *
 * `locations`: at how many it is known. `channels`: what each shows of it, where that was asked for.
 */
export interface FoundSkuView {
  sku: string;
  category: string;
  states: readonly ("held" | "low" | "out" | "short" | "untracked" | (string & {}))[];
  available: number;
  on_hand: number;
  held: number;
  committed: number;
  damaged: number;
  quality_control: number;
  safety: number;
  short: number;
  locations: number;
  channels?: readonly OnChannelView[];
}

/**
 * SKUs that match; `next` is the `after` of the next page, empty on the last.
 *
 * `low_up_to`: with `state=low`, the highest reorder point; where more units are left, nothing is low.
 */
export interface SkusPage {
  skus: readonly FoundSkuView[];
  next: string;
  index: IndexView;
  low_up_to?: number;
}
