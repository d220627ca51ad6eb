// Written by `python -m clients.generate`; a test compares it with the API.

/** A SKU at a location. */
export interface PlaceBody {
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku: string;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location: string;
}

/** An order that the source does not take, in its words. */
export interface RefusedOrderView {
  reservation_id: string;
  channel: string;
  order: string;
  reason: string;
}

/** What was asked for will be done. `numbers`: about how many. `publisher_missing`: nobody does it just now. */
export interface SourceAsked {
  source: string;
  numbers: number;
  publisher_missing: boolean;
}

/**
 * How a source stands. `known_at`: as of when its numbers are known, null: never.
 *
 * `whole_at`: when everything was last read. `places`: for how many it has numbers; `waiting`: that are not
 * believed and wait for a person. `untold`: orders that it is yet to be told of, the oldest for `untold_oldest_s`;
 * `refused`: that it does not take. `not_counted`: numbers that the stock did not take. `supplies`: receipts
 * that it expects. `unreadable`: some SKUs whose number is none. `late`: its numbers are too old, and are taken
 * for what its rules say. `lead_time_days`: how long its units take until they can be shipped.
 */
export interface SourceView {
  source: string;
  kind: string;
  publisher_missing: boolean;
  circuit: "closed" | "halted" | "open" | (string & {});
  reason: string;
  known_at: string | null;
  whole_at: string | null;
  places: number;
  waiting: number;
  untold: number;
  untold_oldest_s: number;
  refused: number;
  not_counted: number;
  supplies: number;
  unreadable: readonly string[];
  late: boolean;
  lead_time_days: number;
}

/**
 * A number that is not believed: it stands at `before`, and the source says `after`.
 *
 * Without SKU and location the list as a whole waits, and the two are numbers of places.
 */
export interface WaitingNumberView {
  sku: string | null;
  location: string | null;
  why: "fell" | "gone" | "grew" | "zeroed" | (string & {}) | "empty" | "missing" | "strange";
  before: number;
  after: number;
  since: string;
  decision: "" | "confirmed" | "refused" | (string & {});
  decided_by: string;
}

/** The query of `GET /v1/sources/{source}/waiting`. */
export interface SourcesReadWaitingQuery {
  limit?: number | undefined;
}

/** What a person decides. Without `places` it is about all numbers that wait now, the whole list among them. */
export interface DecisionBody {
  decision: "confirmed" | "refused";
  places?: readonly PlaceBody[] | undefined;
}

/** All configured sources. */
export interface SourceList {
  sources: readonly SourceView[];
}

/** What of a source waits for a person. `complete` false: there is more. */
export interface WaitingList {
  numbers: readonly WaitingNumberView[];
  orders: readonly RefusedOrderView[];
  complete: boolean;
}
