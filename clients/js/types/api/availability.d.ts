// Written by `python -m clients.generate`; a test compares it with the API.

import type { LocationAvailable, PositionView } from "./common.js";

/** One day: what is `projected` to be available at its end, and what is `promisable` for it. */
export interface AtpDayView {
  on: string;
  projected: number;
  promisable: number;
}

/**
 * Up to 1,000 SKUs at once; with `channel`, what that channel can reserve; `locations` false: sums alone.
 *
 * `keys`: what the channel lists under them, a pack or bundle in whole pieces. `max_age_ms`: how old the answer
 * may be.
 */
export interface AvailabilityQueryBody {
  skus?: readonly string[] | undefined;
  /** Where it is sold: 1–64 bytes of printable UTF-8. */
  channel?: string | null | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | null | undefined;
  /** Locations that belong together: 1–64 bytes of printable UTF-8. */
  group?: string | null | undefined;
  /** Without it: true. */
  locations?: boolean | undefined;
  keys?: readonly string[] | undefined;
  max_age_ms?: number | undefined;
}

/** For how long, for which SKUs (left out: all), and for which channel (left out: what everybody can reserve). */
export interface BrowserTokenBody {
  /** Seconds; from a minute to an hour. Without it: 900. */
  ttl_s?: number | undefined;
  /** Where it is sold: 1–64 bytes of printable UTF-8. */
  channel?: string | null | undefined;
  skus?: readonly string[] | null | undefined;
}

/** A token, and until when it counts. */
export interface BrowserTokenView {
  token: string;
  expires_at: string;
}

/** A component: its units in each piece, and the units of it that can still be reserved. */
export interface PartAvailable {
  sku: string;
  quantity: number;
  available: number;
}

/** The query of `GET /v1/availability/{sku}`. */
export interface AvailabilityReadQuery {
  /** Where it is sold: 1–64 bytes of printable UTF-8. */
  channel?: string | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | undefined;
  /** Locations that belong together: 1–64 bytes of printable UTF-8. */
  group?: string | undefined;
  locations?: boolean | undefined;
  max_age_ms?: number | undefined;
}

/** The query of `GET /v1/availability`. */
export interface AvailabilityReadPiecesQuery {
  /** The SKU's name on the channel: 1–256 bytes of printable UTF-8. */
  key?: string | undefined;
  /** What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \u001d. */
  barcode?: string | undefined;
  /** Where it is sold: 1–64 bytes of printable UTF-8. */
  channel?: string | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | undefined;
  /** Locations that belong together: 1–64 bytes of printable UTF-8. */
  group?: string | undefined;
  max_age_ms?: number | undefined;
}

/** The query of `GET /v1/snapshot`. */
export interface AvailabilityReadAllQuery {
  locations?: boolean | undefined;
  after?: string | undefined;
  limit?: number | undefined;
}

/** The query of `GET /v1/atp/{sku}`. */
export interface AtpReadQuery {
  /** A day, such as 2026-12-01, in the partition's time zone. */
  from?: string | undefined;
  /** A day, such as 2026-12-01, in the partition's time zone. */
  to?: string | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | undefined;
}

/** The query of `GET /v1/availability/{sku}/nearby`. */
export interface NearbyReadQuery {
  /** Degrees north of the equator. */
  lat: number;
  /** Degrees east of Greenwich. */
  lon: number;
  /** Locations that belong together: 1–64 bytes of printable UTF-8. */
  group?: string | undefined;
  limit?: number | undefined;
  /** Where it is sold: 1–64 bytes of printable UTF-8. */
  channel?: string | undefined;
}

/**
 * What is available to promise by day. `late` units were expected before today and count for nothing.
 *
 * `backordered` units come off first: receipts fill backorders before they are available to promise. `time_zone`:
 * the zone by which its days are told, left out for UTC.
 */
export interface AtpView {
  sku: string;
  available: number;
  late: number;
  days: readonly AtpDayView[];
  as_of: string;
  backordered?: number;
  time_zone?: string;
}

/**
 * What can still be reserved of a SKU: the sum over its open locations; a closed one has none.
 *
 * Newer seq wins; of two with the same seq, the greater `locations_version`, which grows when a location is closed
 * or opened. `locations_left_out`: how many are counted, where `locations` does not list them.
 */
export interface AvailabilityView {
  sku: string;
  available: number;
  seq: number;
  locations?: readonly LocationAvailable[];
  as_of: string;
  locations_version?: number;
  locations_left_out?: number;
}

/** How many pieces of what a channel lists under a key can still be ordered: the least of the components. */
export interface KeyAvailability {
  key: string;
  available: number;
  components: readonly PartAvailable[];
  as_of: string;
}

/** How many pieces of a `key`, or packs of a `barcode`, can still be ordered: the least of the components. */
export interface PiecesAvailability {
  key?: string;
  barcode?: string;
  available: number;
  components: readonly PartAvailable[];
  as_of: string;
}

/** An open location that has units, and how far away it is along the great circle. */
export interface NearbyLocation {
  location: string;
  kind: "store" | "warehouse" | (string & {});
  position: PositionView;
  distance_km: number;
  available: number;
}

/**
 * Some SKUs, in no order; `next` is the `after` of the next page, empty on the last.
 *
 * `changes_after`: the `after` with which `GET /v1/changes` goes on, once all pages are read.
 */
export interface SnapshotPage {
  availability: readonly AvailabilityView[];
  changes_after: string;
  next: string;
}

/** In the order of the request; `unknown` and `unknown_keys` list those that the store does not know. */
export interface AvailabilityList {
  availability: readonly AvailabilityView[];
  unknown: readonly string[];
  keys?: readonly KeyAvailability[];
  unknown_keys?: readonly string[];
}

/** Which locations have a SKU, the nearest first. */
export interface NearbyView {
  sku: string;
  locations: readonly NearbyLocation[];
  as_of: string;
}
