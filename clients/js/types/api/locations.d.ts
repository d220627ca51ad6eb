// Written by `python -m clients.generate`; a test compares it with the API.

import type { LineBody, PositionBody, PositionView, SourcingBody } from "./common.js";

/**
 * A location that was not looked at. `beyond_limit`: so many others come before it.
 *
 * `not_for_channel`: the channel's `locations` do not name it.
 */
export interface PassedOver {
  location: string;
  why: "beyond_limit" | "closed" | "no_units" | "not_for_channel" | "not_in_group" | "not_known_there" | (string & {});
}

/** What a location has too little of. */
export interface Lack {
  sku: string;
  wanted: number;
  available: number;
}

/** So many units of a line from one location. */
export interface ExplainedPart {
  location: string;
  quantity: number;
}

/** The location that was deleted. */
export interface LocationDeleted {
  location: string;
}

/**
 * `location`: the old name, which goes on to work; `to`: the new one.
 *
 * `done` false: SKUs still move to it; `moved` have, since the rename began. Nobody has to wait for that.
 */
export interface LocationRenamed {
  location: string;
  to: string;
  done: boolean;
  moved: number;
}

/** A rename that is under way: `from` which name, and how many SKUs lie under the new one since it began. */
export interface RenamingView {
  from: string;
  moved: number;
}

/** The query of `GET /v1/locations`. */
export interface LocationsReadManyQuery {
  unregistered?: boolean | undefined;
}

/** A location that was looked at. `stock`: units available there of all SKUs that are wanted. */
export interface ExplainedCandidate {
  location: string;
  chosen: boolean;
  why: string;
  distance_km: number | null;
  footfall: number;
  priority: number;
  stock: number;
  lacks: readonly Lack[];
}

/**
 * Where a line would be taken from: the location that it names, or the chosen one; empty: there is none.
 *
 * `parts` are there where it would be split; `location` is the first one's.
 */
export interface ExplainedLine {
  line: number;
  sku: string;
  quantity: number;
  location: string;
  parts?: readonly ExplainedPart[];
}

/** What is known of a location; all of it anew, so what is left out goes back to its default. */
export interface LocationBody {
  /** Without it: "warehouse". */
  kind?: "store" | "warehouse" | undefined;
  position?: PositionBody | null | undefined;
  priority?: number | undefined;
  footfall?: number | undefined;
  /** Without it: true. */
  open?: boolean | undefined;
  groups?: readonly string[] | undefined;
  /** True: new names are meant, even if known ones are like them. */
  allow_similar?: boolean | undefined;
}

/**
 * What is known of a location. `open` false: it takes no new reservations.
 *
 * `former_names`: those that it had before, if any, which still mean it. `renaming`: there while its SKUs move.
 * `filled_by`: who alone says what lies there, `channel:…` or `source:…`. `registered` false: it never was,
 * and all but its name is a default.
 */
export interface LocationView {
  location: string;
  kind: "store" | "warehouse" | (string & {});
  position: PositionView | null;
  priority: number;
  footfall: number;
  open: boolean;
  groups: readonly string[];
  former_names?: readonly string[];
  renaming?: RenamingView;
  filled_by?: string;
  registered?: boolean;
}

/** How an order would be sourced now; `candidates` in their order. */
export interface ExplainView {
  outcome:
    | "chosen"
    | "location_closed"
    | "out_of_stock"
    | "sourcing_incomplete"
    | "too_many_splits"
    | "unknown_sku"
    | (string & {});
  lines: readonly ExplainedLine[];
  candidates: readonly ExplainedCandidate[];
  passed_over: readonly PassedOver[];
  as_of: string;
}

/**
 * An order as it would be sent, of which only the choice of locations is wanted; for a `channel` or anybody.
 *
 * Without `sourcing`, lines that name no location come from where the units are.
 */
export interface ExplainBody {
  lines: readonly LineBody[];
  sourcing?: SourcingBody | undefined;
  /** Where it is sold: 1–64 bytes of printable UTF-8. */
  channel?: string | null | undefined;
}

/** Every location that was registered, by name. */
export interface LocationList {
  locations: readonly LocationView[];
}
