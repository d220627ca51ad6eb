// Written by `python -m clients.generate`; a test compares it with the API.

import type { SeamView } from "./common.js";

/** A line that was crossed. `available`: what could be reserved right after it. `location` "": at all. */
export interface EventView {
  id: string;
  type:
    | "shortage.opened"
    | "sku.back"
    | "sku.new"
    | "sku.out"
    | "stock.back"
    | "stock.low"
    | "stock.out"
    | (string & {});
  at: string;
  sku: string;
  location: string;
  available: number;
  reorder_point: number;
  seq: number;
}

/** What a SKU is, with its name. */
export interface NamedSkuBody {
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku: string;
  category: string | null;
}

/**
 * What to order for a (SKU, location). `reorder_point` and `target` are those that hold at this velocity.
 *
 * `incoming` units are on their way already: expected, and not late, or in transit from another location.
 */
export interface Proposal {
  sku: string;
  location: string;
  available: number;
  incoming: number;
  per_day: number;
  reorder_point: number;
  target: number;
  quantity: number;
}

/** A rule for one SKU or all, at one location or all. `remove`: take it away. */
export interface RuleBody {
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | null | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | null | undefined;
  reorder_point?: number | undefined;
  target?: number | undefined;
  lead_time_days?: number | undefined;
  cover_days?: number | undefined;
  remove?: boolean | undefined;
}

/** A rule. `sku` or `location` null: for all. */
export interface RuleView {
  sku: string | null;
  location: string | null;
  reorder_point: number;
  target: number;
  lead_time_days: number;
  cover_days: number;
}

/** A rule for one category or all, at one location or all. `remove`: take it away. */
export interface SafetyRuleBody {
  category?: string | null | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | null | undefined;
  units?: number | undefined;
  percent?: number | undefined;
  remove?: boolean | undefined;
}

/** A rule. `category` or `location` null: for all. */
export interface SafetyRuleView {
  category: string | null;
  location: string | null;
  units: number;
  percent: number;
}

/**
 * What a SKU is; what is left out stays as it is.
 *
 * `category` null: none. `tracked` false: it has no stock and needs none, such as gift wrap.
 */
export interface SkuBody {
  category?: string | null | undefined;
  tracked?: boolean | undefined;
  /** True: new names are meant, even if known ones are like them. */
  allow_similar?: boolean | undefined;
}

/**
 * What a SKU is. `category` null: none. `tracked` is left out where many are put into categories.
 *
 * `sku` is what it is called now; `former_names`, left out where there are none, are what it was called before.
 */
export interface SkuView {
  sku: string;
  category: string | null;
  tracked?: boolean;
  former_names?: readonly string[];
}

/** Whose days they are from now on. */
export interface TimeZoneBody {
  /** An IANA name, such as Europe/Istanbul. */
  time_zone: string;
}

/** The query of `GET /v1/replenishment`. */
export interface ReplenishmentProposeQuery {
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | undefined;
  after?: string | undefined;
  /** Rows at most. */
  limit?: number | undefined;
}

/** The query of `GET /v1/events`. */
export interface ReplenishmentEventsQuery {
  after?: string | undefined;
  /** Rows at most. */
  limit?: number | undefined;
  /** Events of SKUs at their locations, of SKUs as a whole, or both. */
  about?: "all" | "places" | "skus" | undefined;
}

/** Events, oldest first. `next` goes into `after` to read on, also when there is none now. */
export interface EventList {
  events: readonly EventView[];
  next: string;
}

/** What SKUs are; those that are not named stay as they are. */
export interface SkusBody {
  skus: readonly NamedSkuBody[];
}

/**
 * What to order, most urgent first; `proposals_total` counts those of all pages.
 *
 * `next` is the `after` of the next page, empty on the last. Each page is worked out anew.
 */
export interface ProposalList {
  proposals: readonly Proposal[];
  proposals_total: number;
  next: string;
}

/** Rules to set; those that are not named stay. */
export interface RulesBody {
  rules: readonly RuleBody[];
}

/** Every rule, those for all first. */
export interface RuleList {
  rules: readonly RuleView[];
}

/** The rules that were set. `unknown_skus`: these have no stock yet, so check their names. */
export interface RulesPut {
  rules: readonly RuleView[];
  unknown_skus?: readonly string[];
}

/** Rules to set; those that are not named stay. */
export interface SafetyRulesBody {
  rules: readonly SafetyRuleBody[];
}

/** Rules, those for all first. */
export interface SafetyRuleList {
  rules: readonly SafetyRuleView[];
}

/** The rules that were set. `unknown_categories`: no SKU is of these yet, so check their names. */
export interface SafetyRulesPut {
  rules: readonly SafetyRuleView[];
  unknown_categories?: readonly string[];
}

/** Whose days they are now, which day it is, and every change so far. */
export interface TimeZoneView {
  time_zone: string;
  today: string;
  seams: readonly SeamView[];
}

/** What SKUs are, in the order in which they were given. */
export interface SkuList {
  skus: readonly SkuView[];
}
