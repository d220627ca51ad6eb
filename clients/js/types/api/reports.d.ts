// Written by `python -m clients.generate`; a test compares it with the API.

import type { ExpectedReceiptView, SeamView } from "./common.js";

/** How the last audit of counters, reservations and journal ended; `checked_at` null: there was none yet. */
export interface BooksView {
  checked_at: string | null;
  agree: boolean;
  drift_units: number;
}

/** A time of which not everything is known. `from` null: since ever. */
export interface GapView {
  from: string | null;
  to: string;
  reason: "before" | "damaged" | "trimmed" | "unread" | "went_back" | (string & {});
}

/** A store that was filled from a backup and is not released. `taken_at`: the moment of the backup. */
export interface HaltedView {
  taken_at: string;
  restored_at: string;
}

/** The server can take work. `detail`: what an operator has to know all the same; left out where it is nothing. */
export interface Health {
  status: "ok" | (string & {});
  detail?: string;
}

/**
 * One change. Names are as they were then; empty: it is about none.
 *
 * `deltas`: by how many units it moved which bucket. `available`: units that could be reserved after it,
 * `available_before` before it; null: it moved no stock, or channels had allocations there. `was` and `now`: of
 * a setting, as JSON or text; null: it is none, empty: it was not set. `seq` null: no stock was changed.
 */
export interface HistoryView {
  at: string;
  operation: string;
  actor: string;
  channel: string;
  sku: string;
  location: string;
  reservation_id: string;
  order_ref: string;
  key: string;
  state: string;
  deltas: Record<string, number>;
  available_before: number | null;
  available: number | null;
  was: string | null;
  now: string | null;
  reason: string;
  notes: Record<string, string>;
  seq: number | null;
}

/** A hold that is about to lapse. `units`: what it holds. */
export interface LapsingView {
  reservation_id: string;
  order_ref: string;
  channel: string;
  units: number;
  flags: readonly string[];
  expires_at: string;
}

/** Units. `net` = ordered - cancelled; `other` is signed: counts, adjustments, transfers. */
export interface SalesRow {
  key: string;
  ordered: number;
  shipped: number;
  cancelled: number;
  returned: number;
  received: number;
  other: number;
  net: number;
}

/** A SKU that could be sold, and is on no channel: the units that are available at open locations. */
export interface UnlistedView {
  sku: string;
  available: number;
}

/**
 * How fast a SKU sells. Units per day; a day that has not ended counts for as long as it has lasted.
 *
 * `days_of_cover`: how long what is available lasts at the pace of 28 days; null where nothing was sold.
 * `turnover_year`: how often a year the stock is sold at this pace, from what was shipped and the average on hand;
 * null where nothing was on hand.
 */
export interface Velocity {
  sku: string;
  per_day_7: number;
  per_day_28: number;
  on_hand: number;
  available: number;
  days_of_cover: number | null;
  turnover_year: number | null;
}

/** The query of `GET /v1/today`. */
export interface TodayReadQuery {
  /** Seconds; up to a day. */
  within_s?: number | undefined;
  /** Days; 0: today and before. */
  days?: number | undefined;
  limit?: number | undefined;
}

/** The query of `GET /v1/reports/sales`. */
export interface ReportsSalesQuery {
  from?: string | undefined;
  to?: string | undefined;
  by?: "channel" | "day" | "location" | "sku" | undefined;
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | undefined;
  /** Where it is sold: 1–64 bytes of printable UTF-8. */
  channel?: string | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | undefined;
  order?: "best" | "slowest" | undefined;
  /** Rows at most. */
  limit?: number | undefined;
}

/** The query of `GET /v1/reports/velocity`. */
export interface ReportsVelocityQuery {
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | undefined;
  order?: "best" | "cover" | "slowest" | undefined;
  /** Rows at most. */
  limit?: number | undefined;
}

/** The query of `GET /v1/reports/unlisted`. */
export interface ReportsOnNoChannelQuery {
  after?: string | undefined;
  limit?: number | undefined;
}

/** The query of `GET /v1/history`. */
export interface HistoryReadQuery {
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | undefined;
  /** The number of an order at its channel: 1–1,024 bytes of UTF-8; it is booked up to 128. */
  order?: string | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | undefined;
  /** Where it is sold: 1–64 bytes of printable UTF-8. */
  channel?: string | undefined;
  actor?: string | undefined;
  key?: string | undefined;
  from?: string | Date | undefined;
  to?: string | Date | undefined;
  at?: string | Date | undefined;
  after?: string | undefined;
  limit?: number | undefined;
}

/**
 * What was available at a location; null: not known. `change` made it so, null: it is older than the history.
 *
 * `sure` false: something that is not known lies between that change and the time, see the gaps.
 */
export interface PlaceThenView {
  location: string;
  available: number | null;
  sure: boolean;
  change: HistoryView | null;
}

/**
 * What is due. `today` is the day in the partition's time zone; the totals count also what is not listed.
 *
 * `halted` null: publishing and intake go on.
 */
export interface TodayView {
  today: string;
  lapsing: readonly LapsingView[];
  lapsing_total: number;
  deliveries: readonly ExpectedReceiptView[];
  deliveries_total: number;
  books: BooksView;
  halted: HaltedView | null;
  as_of: string;
}

/**
 * What was sold. `complete_since`: nothing is missing from then on; `counted_to`: the newest change in it.
 *
 * `seams`: where days of `time_zone` begin and those of another end, within these days.
 */
export interface SalesReport {
  from: string;
  to: string;
  by: "channel" | "day" | "location" | "sku" | (string & {});
  rows: readonly SalesRow[];
  rows_total: number;
  total: SalesRow;
  complete_since: string | null;
  counted_to: string | null;
  time_zone: string;
  seams: readonly SeamView[];
}

/** SKUs in stock that none of the `channels` lists, in no order. `next` is empty on the last page. */
export interface UnlistedReport {
  skus: readonly UnlistedView[];
  channels: readonly string[];
  next: string;
}

/**
 * How fast things go. `complete_since`: when counting began, if that was within the 28 days it shortens them.
 *
 * `seams`: where days of `time_zone` begin and those of another end, within the 28 days.
 */
export interface VelocityReport {
  skus: readonly Velocity[];
  skus_total: number;
  complete_since: string | null;
  counted_to: string | null;
  time_zone: string;
  seams: readonly SeamView[];
}

/** What was available of a SKU at a time, together and at each location. `complete` false: some are left out. */
export interface StockThenView {
  sku: string;
  at: string;
  available: number;
  locations: readonly PlaceThenView[];
  complete: boolean;
}

/**
 * Changes, the newest first, as of a moment. `next` is the `after` of the next page, empty on the last.
 *
 * A page can have fewer than were asked for, or none, although there are more. `gaps`: where the history lacks
 * something in the time that was asked for. `then`: the answer to `at`.
 */
export interface HistoryPage {
  changes: readonly HistoryView[];
  next: string;
  gaps: readonly GapView[];
  as_of: string;
  then?: StockThenView | null;
}
