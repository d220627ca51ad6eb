// Batches: split by the limits of the API, sent one after the other, and their results put in order.

import { KEY_CHARACTERS_MAX, checkedKey, keyed, sets } from "./calls.js";
import { newKey } from "./crypto.js";
import { pauseAfter } from "./decisions.js";
import { BatchInterrupted, HoldfastError, OutcomeUnknown } from "./errors.js";
import { pause } from "./transport.js";
import { NOT_PROCESSED } from "./verdicts.js";

/** @import { Call, CallOptions, KeyedOptions } from "./calls.js" */
/** @import { Transport } from "./transport.js" */

export const BODY_BYTES_MAX = 1_048_576;
export const RESERVATIONS_MAX = 500;
/** Movements, SKUs, barcodes, listings or rules in one request. */
export const LIST_MAX = 1_000;
const UNSETTLED = [...NOT_PROCESSED, "outcome_unknown"];

/** @typedef {{ body: string, elements: number }} Part */

/**
 * Return bodies whose list `name` has the elements in order, each within the limits.
 *
 * `more` has the other fields, which each of them has. An element that is too large by itself stands alone: the server
 * says so.
 *
 * @param {string} name
 * @param {readonly unknown[]} elements
 * @param {number} elementsMax
 * @param {object} [more]
 * @returns {Part[]}
 */
export function bodies(name, elements, elementsMax, more = {}) {
  const encoder = new TextEncoder();
  const others = JSON.stringify(more).slice(1, -1);
  const head = `{${others}${others && ","}"${name}":[`;
  /** @type {Part[]} */
  const found = [];
  /** @type {string[]} */
  let part = [];
  let size = 0;
  const close = () => {
    if (part.length) found.push({ body: `${head}${part.join(",")}]}`, elements: part.length });
    part = [];
    size = encoder.encode(head).length + "]}".length;
  };
  close();
  for (const element of elements) {
    const text = JSON.stringify(element);
    const bytes = encoder.encode(text).length + 1;
    if (part.length === elementsMax || (part.length && size + bytes > BODY_BYTES_MAX)) close();
    part.push(text);
    size += bytes;
  }
  close();
  return found;
}

/**
 * Send a batch, and return one result for each element.
 *
 * Elements that were not processed, or whose outcome is unknown, are tried again with their part: the others in it
 * answer as they did. With the same key and elements the parts are the same, and so are their keys.
 *
 * @template {{ status: number, outcome: string }} R
 * @param {Transport} transport
 * @param {string} path
 * @param {string} name
 * @param {readonly unknown[]} elements
 * @param {number} elementsMax
 * @param {KeyedOptions | undefined} options
 * @returns {Promise<R[]>}
 */
export async function resultsInOrder(transport, path, name, elements, elementsMax, options) {
  const key = checkedKey(options?.idempotencyKey ?? (await newKey()));
  const parts = bodies(name, elements, elementsMax);
  const keys = parts.length === 1 ? [key] : parts.map((_, number) => `${key}.${number}`);
  if (keys.some((each) => each.length > KEY_CHARACTERS_MAX)) {
    throw new RangeError(`an idempotencyKey has at most ${KEY_CHARACTERS_MAX} characters, and a batch adds some to it`);
  }
  const endsAt = performance.now() + transport.policyOf(options).deadlineMs;
  /** @type {R[]} */
  const known = [];
  for (const [number, part] of parts.entries()) {
    /** @type {Call<{ results: R[] }>} */
    const call = keyed("POST", path, part.body, { idempotencyKey: keys[number] });
    try {
      known.push(...(await settled(transport, call, options, endsAt)));
    } catch (error) {
      if (!breaksOff(error, known, options)) throw error;
      const results = Object.assign(Array(elements.length).fill(undefined), known);
      throw new BatchInterrupted(error, results, { part: number + 1, parts: parts.length, key });
    }
  }
  return known;
}

/**
 * Tell whether an error ends a batch of which something is done, or of which nobody knows.
 *
 * @param {unknown} error
 * @param {readonly unknown[]} known
 * @param {CallOptions | undefined} options
 */
function breaksOff(error, known, options) {
  if (!(error instanceof HoldfastError) && !options?.signal?.aborted) return false; // a fault of the program
  return known.length > 0 || error instanceof OutcomeUnknown;
}

/**
 * @template {{ status: number, outcome: string }} R
 * @param {Transport} transport
 * @param {Call<{ results: R[] }>} call
 * @param {CallOptions | undefined} options
 * @param {number} endsAt
 * @returns {Promise<R[]>}
 */
async function settled(transport, call, options, endsAt) {
  const policy = transport.policyOf(options);
  let { results } = await transport.run(call, options, endsAt);
  for (let tries = 1; tries < policy.triesMax; tries += 1) {
    if (results.every((each) => !UNSETTLED.includes(each.outcome))) break;
    await pause(Math.min(pauseAfter(policy, tries), Math.max(0, endsAt - performance.now())), options?.signal);
    try {
      const again = await transport.run(call, options, endsAt);
      results = results.map((before, at) => newer(before, /** @type {R} */ (again.results[at])));
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      break; // what is known stands
    }
  }
  return results;
}

/**
 * Return what is known of an element that was answered twice.
 *
 * @template {{ status: number, outcome: string }} R
 * @param {R} before
 * @param {R} now
 * @returns {R}
 */
export function newer(before, now) {
  if (NOT_PROCESSED.includes(now.outcome)) return NOT_PROCESSED.includes(before.outcome) ? now : before;
  if (now.outcome === "outcome_unknown") return before.status < 300 ? before : now;
  return now;
}

/**
 * Send a list that has the same effect when it is put again, split by the limits, and return the answers.
 *
 * @template T
 * @param {Transport} transport
 * @param {string} path
 * @param {string} name
 * @param {readonly unknown[]} elements
 * @param {CallOptions | undefined} options
 * @param {object} [more]
 * @returns {Promise<T[]>}
 */
export function put(transport, path, name, elements, options, more) {
  /** @type {Call<T>[]} */
  const calls = bodies(name, elements, LIST_MAX, more).map(({ body }) => sets("PUT", path, body));
  return pagesInOrder(transport, calls, options);
}

/**
 * Make calls one after the other of which each has the same effect when it is repeated, and return their answers.
 *
 * @template T
 * @param {Transport} transport
 * @param {readonly Call<T>[]} calls
 * @param {CallOptions | undefined} options
 * @returns {Promise<T[]>}
 */
export async function pagesInOrder(transport, calls, options) {
  const endsAt = performance.now() + transport.policyOf(options).deadlineMs;
  /** @type {T[]} */
  const pages = [];
  for (const [number, call] of calls.entries()) {
    try {
      pages.push(await transport.run(call, options, endsAt));
    } catch (error) {
      if (!pages.length || call.repeat === "reads" || !breaksOff(error, pages, options)) throw error;
      const results = Object.assign(Array(calls.length).fill(undefined), pages);
      throw new BatchInterrupted(error, results, { part: number + 1, parts: calls.length, key: "" });
    }
  }
  return pages;
}

/**
 * @param {readonly number[]} numbers
 * @returns {number}
 */
export function sum(numbers) {
  return numbers.reduce((one, other) => one + other, 0);
}
