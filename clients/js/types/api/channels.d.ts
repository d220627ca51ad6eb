// Written by `python -m clients.generate`; a test compares it with the API.

import type { AllocationView } from "./common.js";

/**
 * The allocation of a channel: `units` in all, reserved and not yet shipped ones included.
 *
 * `own`: units that no other channel can reserve; 0: none, and no cap either. `cap`: so many from the common pool
 * and no more; 0: nothing. `new`: for a channel that is not known, although its name is like that of one that is.
 */
export interface AllocationBody {
  /** Units. */
  units: number;
  /** Without it: "own". */
  kind?: "cap" | "own" | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  reason?: string | null | undefined;
  new?: boolean | undefined;
}

/** Unreserved units of one channel's allocation become another's. `new`: as in an allocation. */
export interface AllocationMoveBody {
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku: string;
  /** Where it is sold: 1–64 bytes of printable UTF-8. */
  from_channel: string;
  /** Where it is sold: 1–64 bytes of printable UTF-8. */
  to_channel: string;
  /** Units. */
  units: number;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. Without it: "main". */
  location?: string | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  reason?: string | null | undefined;
  new?: boolean | undefined;
}

/** The command to the channel's publisher. It stays until it is done; `publisher_missing`: none does it now. */
export interface ChannelAsked {
  channel: string;
  asked: "reconcile" | "retry" | "test" | (string & {});
  publisher_missing: boolean;
}

/**
 * The state of a channel, in short. `publisher_missing`: no report of it for five seconds or more.
 *
 * `paused`: nothing is sent to it, because a rule says so.
 */
export interface ChannelSummary {
  channel: string;
  kind: string;
  publisher_missing: boolean;
  circuit: "closed" | "halted" | "open" | (string & {});
  reason: string;
  dirty: number;
  oldest_unsent_s: number;
  last_confirmed_at: string | null;
  dead_letters: number;
  lag_p50_s: number | null;
  lag_p99_s: number | null;
  paused: boolean;
}

/**
 * How a channel's publishable quantity follows from the available units, and when it is published.
 *
 * `locations` empty: all of them. `buffer` units are kept back, and `percent` of the rest are published: 0 if
 * that is less than `min_publish`, and never more than `cap`. `cadence_s` 0: at once; else every so many
 * seconds, but a fall to zero is published at once. `reconcile_every_s` 0: only on request. `paused`: nothing is
 * published, and what changes waits.
 */
export interface ChannelRules {
  locations?: readonly string[];
  buffer?: number;
  percent?: number;
  min_publish?: number;
  cap?: number | null;
  cadence_s?: number;
  reconcile_every_s?: number;
  paused?: boolean;
}

/**
 * Rules to hold from now on. A field that is left out goes back to the configuration; `cap` null: no cap.
 *
 * `paused` alone stays as it is where it is left out. `reason` is no rule: the journal keeps it.
 */
export interface ChannelRulesBody {
  locations?: readonly string[] | undefined;
  buffer?: number | undefined;
  percent?: number | undefined;
  min_publish?: number | undefined;
  cap?: number | null | undefined;
  cadence_s?: number | undefined;
  reconcile_every_s?: number | undefined;
  paused?: boolean | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  reason?: string | undefined;
}

/**
 * What came of the last test of the connection. `answered` null: it cannot be known; `reason` says why.
 *
 * Where the channel did not answer, `reason` is in its own words, or those of the network.
 */
export interface ConnectionView {
  finished_at: string;
  answered: boolean | null;
  reason: string;
}

/**
 * How the orders of a channel come in. `lag_s`: how long ago all changes of its orders were known.
 *
 * `open`: orders that are read again until they are closed; `to_read`: those that are to be read now; `inbox`:
 * those that are not booked, or not whole. `outbox`: commands that are not settled, the oldest for
 * `outbox_oldest_s`; `undecided`: those of which nobody knows whether they were carried out. `heard_waiting`:
 * news that wait. `since`: orders from then on are taken. `reason`: what keeps orders from coming in, else empty.
 * `commands`: what can be said.
 */
export interface IntakeView {
  lag_s: number;
  open: number;
  to_read: number;
  inbox: number;
  outbox: number;
  undecided: number;
  outbox_oldest_s: number;
  heard_waiting: number;
  since: string;
  reason: string;
  commands: readonly string[];
}

/**
 * The location at which it is counted what the channel holds in its own warehouse.
 *
 * `read_at`: when the last reading began that was counted; null: none was. `skus` and `units`: what it found.
 * `unmapped`: keys that neither a listing nor a SKU has. `reason`: why nothing is counted, or not all; else empty.
 */
export interface MirrorView {
  location: string;
  read_at: string | null;
  skus: number;
  units: number;
  unmapped: number;
  reason: string;
}

/** What the last comparison found. `read_back` false: the channel cannot be read, all was sent again. */
export interface ReconcileView {
  finished_at: string;
  checked: number;
  differed: number;
  read_back: boolean;
}

/**
 * A value that the channel will not take. `reason` is in the channel's own words. `sku` of a pack is empty.
 *
 * `field`: "price" means that the channel shows the quantity, and goes on doing so; `price` is the refused one.
 */
export interface DeadLetterView {
  sku: string;
  key: string;
  quantity: number;
  code: string;
  reason: string;
  attempts: number;
  first_at: string;
  last_at: string;
  seq: number;
  field: "price" | "quantity" | (string & {});
  price: string;
}

/** Why a channel is paused, or not any more; the journal keeps it. */
export interface PauseBody {
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  reason?: string | null | undefined;
}

/** Try the dead letters of these SKUs again, or all. */
export interface RetryBody {
  skus?: readonly string[] | null | undefined;
}

/** The query of `DELETE /v1/stock/{sku}/{location}/allocations/{channel}`. */
export interface AllocationsDropQuery {
  /** Why: 1–256 bytes of printable UTF-8; the history keeps it. */
  reason?: string | undefined;
}

/** The query of `GET /v1/channels/{channel}/dead-letters`. */
export interface ChannelsDeadLettersQuery {
  after?: string | undefined;
  limit?: number | undefined;
}

/** The allocations at one (SKU, location), and what they leave to everybody. */
export interface AllocatedView {
  sku: string;
  location: string;
  available: number;
  set_aside: number;
  seq: number;
  allocations: readonly AllocationView[];
}

/** Every channel that is configured, by name. */
export interface ChannelList {
  channels: readonly ChannelSummary[];
}

/**
 * One channel: the rules in force, and the names of those that were set at run time.
 *
 * `listings`: "listed" publishes the SKUs that have a listing; "all" publishes every SKU.
 */
export interface ChannelView {
  channel: string;
  kind: string;
  listings: "all" | "listed" | (string & {});
  rules: ChannelRules;
  set_at_run_time: readonly string[];
}

/**
 * The state of a channel, as its publisher last wrote it at `written_at`; null: it never did.
 *
 * `oldest_unsent_s`: how long the longest waiting change has waited, in seconds. `lag_p50_s` and `lag_p99_s`:
 * from change to the channel's own confirmation, over the last thousand. `cursor`: the id in the journal up to which
 * all is confirmed. `refused_prices`: how many of the `dead_letters` are about a price alone. `intake`: of its
 * orders; null where none come in. `mirror`: of what the channel holds itself; null where it is not counted.
 * `paused`: nothing is sent to it, because a rule says so. `test`: of the connection; null: there was none.
 */
export interface ChannelStatusView {
  channel: string;
  publisher: string;
  publisher_missing: boolean;
  written_at: string | null;
  circuit: "closed" | "halted" | "open" | (string & {});
  reason: string;
  listings: number;
  dirty: number;
  in_flight: number;
  tickets: number;
  oldest_unsent_s: number;
  last_confirmed_at: string | null;
  dead_letters: number;
  lag_p50_s: number | null;
  lag_p99_s: number | null;
  cursor: string;
  reconcile: ReconcileView | null;
  refused_prices: number;
  intake: IntakeView | null;
  mirror: MirrorView | null;
  paused: boolean;
  test: ConnectionView | null;
}

/** The newest first; `complete`: no more come. `next` is the `after` of the next page, empty on the last. */
export interface DeadLetterList {
  dead_letters: readonly DeadLetterView[];
  complete: boolean;
  next: string;
}
