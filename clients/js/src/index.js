// The JavaScript client of Holdfast: reserve, commit, count and follow stock, safely repeated where answers are lost.

/** @typedef {import("./calls.js").CallOptions} CallOptions */
/** @typedef {import("./calls.js").KeyedOptions} KeyedOptions */
/** @typedef {import("./decisions.js").Policy} Policy */
/** @typedef {import("./events.js").Change} Change */
/** @typedef {import("./streams.js").StreamOptions} StreamOptions */
/** @typedef {import("./transport.js").ClientOptions} ClientOptions */
/** @typedef {import("./transport.js").Try} Try */

export { Client } from "./client.js";
export {
  AccessRefused,
  BatchInterrupted,
  DoneBefore,
  HoldfastError,
  Invalid,
  NotFound,
  OutOfStock,
  OutcomeUnknown,
  Refused,
  Unavailable,
} from "./errors.js";
export { SnapshotNeeded, StreamClosed } from "./events.js";
export { version } from "./version.js";
