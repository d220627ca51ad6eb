// What a call throws: it was refused, it could not be made, or nobody knows what came of it.

/** @import { Call } from "./calls.js" */
/** @import { FieldProblem, LineProblem, Problem } from "../types/api/index.js" */

export const NOT_HOLDFAST = "not_holdfast";

/** Whatever a call throws. */
export class HoldfastError extends Error {
  /**
   * @param {string} message
   * @param {ErrorOptions} [options]
   */
  constructor(message, options) {
    super(message, options);
    this.name = new.target.name;
  }
}

/**
 * The server said no, and why. This try changed nothing.
 *
 * `earlierLost`: an earlier try of this call got no answer. Where the call has a key, that try had no effect when this
 * refusal was made, but a slow network may still deliver it. Where it has none, the refusal may come of that try: what
 * it has deleted is not known any more.
 */
export class Refused extends HoldfastError {
  /**
   * @param {Problem} problem
   * @param {boolean} earlierLost
   */
  constructor(problem, earlierLost = false) {
    super(`${problem.outcome}: ${problem.title}. ${problem.detail}`.trim());
    this.problem = problem;
    this.earlierLost = earlierLost;
  }

  /** Why, in one word that programs look at; `docs/api` says of each what to do. */
  get outcome() {
    return this.problem.outcome;
  }

  /** The status of the answer. */
  get status() {
    return this.problem.status;
  }

  /**
   * What was asked of each line that is refused, and what there was.
   *
   * @returns {readonly LineProblem[]}
   */
  get lines() {
    return this.problem.lines ?? [];
  }

  /**
   * The fields that break a rule.
   *
   * @returns {readonly FieldProblem[]}
   */
  get errors() {
    return this.problem.errors ?? [];
  }
}

/** Fewer units are available than were asked for: `lines` has both numbers. No units are held. */
export class OutOfStock extends Refused {}

/** What the request is about is not known: `outcome` says which of it. */
export class NotFound extends Refused {}

/** Fields break rules: `errors` has all of them. */
export class Invalid extends Refused {}

/** The key is missing, unknown, revoked, or lacks the scope. */
export class AccessRefused extends Refused {}

/**
 * Another call has done it before. After a lost answer or a restart this is what was wanted: go on as if it worked.
 *
 * `problem.reservation_id` names the reservation where it has another id than the one that was asked for.
 */
export class DoneBefore extends Refused {}

/**
 * The call could not be made: nothing happened, also after several tries. Make it again later.
 *
 * `outcome`: `overloaded`, `store_unavailable`, `unreachable` and the like; `not_holdfast` where something else refused
 * it, such as a proxy. `retryAfterS`: how long the server asked to wait, 0 where it did not say.
 */
export class Unavailable extends HoldfastError {
  /**
   * @param {string} message
   * @param {string} outcome
   * @param {number} retryAfterS
   */
  constructor(message, outcome, retryAfterS = 0) {
    super(message);
    this.outcome = outcome;
    this.retryAfterS = retryAfterS;
  }
}

/**
 * All answers were lost: it may have happened or not.
 *
 * The message says how to find out. `call` can be run again as it is, by `client.run(error.call)`: where `key` is not
 * empty that is the same call, so what it did the first time is answered.
 */
export class OutcomeUnknown extends HoldfastError {
  /**
   * @param {Call<any>} call
   * @param {string} why
   */
  constructor(call, why) {
    super(`Nobody knows what came of ${nameOf(call)}: ${why}. To find out, ${call.findOut}.`);
    this.call = call;
    this.why = why;
    /** The `reservation_id` or the `Idempotency-Key`, empty where it had none. */
    this.key = call.key;
  }
}

/**
 * A part of a batch failed when others were done. What comes after it was not sent.
 *
 * `cause`: why it broke off: the part was `Refused`, or it is `Unavailable` or `OutcomeUnknown` what came of it, or a
 * signal has ended the call. `results`: what is known, in order, undefined for the others: of each element, or of each
 * request where lists are put. `part` is the one that failed, from 1 on, of `parts`. `key` is the `Idempotency-Key` of
 * the whole batch, empty where it needs none. Unless the part was refused, call it again with this key and the same
 * elements: what is done stays done, and all results come.
 */
export class BatchInterrupted extends HoldfastError {
  /**
   * @param {unknown} cause
   * @param {readonly any[]} results
   * @param {{ part: number, parts: number, key: string }} where
   */
  constructor(cause, results, { part, parts, key }) {
    super(brokenOff(cause, results, part, parts, key), { cause });
    this.results = results;
    this.part = part;
    this.parts = parts;
    this.key = key;
  }
}

/**
 * Say how far a batch came, and what to do.
 *
 * @param {unknown} cause
 * @param {readonly any[]} results
 * @param {number} part
 * @param {number} parts
 * @param {string} key
 * @returns {string}
 */
function brokenOff(cause, results, part, parts, key) {
  const known = results.filter((each) => each !== undefined).length;
  const counted = `${known} of ${results.length} ${key ? "elements have a result" : "requests were answered"}`;
  if (cause instanceof Refused) {
    const again = key ? "send those without a result again, in a new call" : "call it again with all elements";
    const why = `was refused (${cause.message})`;
    return `Part ${part} of ${parts} ${why}. ${counted}. Correct the refused part, and ${again}.`;
  }
  const why = cause instanceof OutcomeUnknown ? `got no answer (${cause.why})` : `was not processed (${cause})`;
  const again = key ? `with idempotencyKey ${JSON.stringify(key)} and the same elements` : "with the same elements";
  return `Part ${part} of ${parts} ${why}. ${counted}. Call it again ${again}: what is done stays done.`;
}

/**
 * @param {Call<any>} call
 * @returns {string}
 */
export function nameOf(call) {
  return `${call.method} ${call.path.split("?")[0]}`;
}

/** @type {Readonly<Record<string, typeof Refused>>} */
const BY_OUTCOME = {
  already_committed: DoneBefore,
  already_released: DoneBefore,
  order_known: DoneBefore,
  out_of_stock: OutOfStock,
  unknown_barcode: NotFound,
  unknown_sku: NotFound,
};
/** @type {Readonly<Record<number, typeof Refused>>} */
const BY_STATUS = { 400: Invalid, 401: AccessRefused, 403: AccessRefused, 404: NotFound };

/**
 * Return the error of a refusal; one without an outcome is none of Holdfast's, and says nothing of the call.
 *
 * @param {Problem} problem
 * @param {boolean} [earlierLost]
 * @returns {Refused | Unavailable}
 */
export function refusal(problem, earlierLost = false) {
  if (!problem.outcome) {
    const said = `${problem.status}: ${problem.title} ${problem.detail}`;
    return new Unavailable(`${said}. Nothing changed; check the url, and call again.`, NOT_HOLDFAST);
  }
  const Kind = BY_OUTCOME[problem.outcome] ?? BY_STATUS[problem.status] ?? Refused;
  return new Kind(problem, earlierLost);
}
