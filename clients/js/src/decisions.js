// What to do after each try of a call: take its answer, refuse, wait and try again, or say that nobody knows.

import { OutcomeUnknown, Unavailable, nameOf, refusal } from "./errors.js";

/** @import { Call } from "./calls.js" */
/** @import { HoldfastError } from "./errors.js" */
/** @import { Verdict } from "./verdicts.js" */
/** @import { Problem } from "../types/api/index.js" */

/**
 * How long a call may take, and how often it is tried.
 *
 * @typedef {object} Policy
 * @property {number} deadlineMs for a call with all its tries and pauses
 * @property {number} tryMs for one try
 * @property {number} triesMax how often a call is sent at most
 * @property {number} pauseMs the pause after the first try; it doubles with each and is spread at random
 * @property {number} pauseMaxMs its limit; `Retry-After` makes it longer
 */

/** @type {Readonly<Policy>} */
export const POLICY = { deadlineMs: 30_000, tryMs: 10_000, triesMax: 6, pauseMs: 100, pauseMaxMs: 5_000 };

const SAY_NOTHING = [401, 403, 405, 407, 413, 415, 429, 431]; // of what an earlier try of the same call did

/**
 * Return how long to wait after so many tries, in milliseconds; never less than the server asked for.
 *
 * All who were told to come back after the same time are spread over a half of it: together they would be refused
 * together again.
 *
 * @param {Policy} policy
 * @param {number} tries
 * @param {number} [retryAfterMs]
 */
export function pauseAfter(policy, tries, retryAfterMs = 0) {
  const longestMs = Math.min(policy.pauseMaxMs, policy.pauseMs * 2 ** (tries - 1));
  return (1 + Math.random() / 2) * retryAfterMs + (0.5 + Math.random() / 2) * longestMs;
}

/** The tries of one call. */
export class Tries {
  #tries = 0;
  #lost = "";

  /**
   * @param {Call<any>} call
   * @param {Policy} policy
   * @param {number} endsAt when the call has to be over, by `performance.now()`
   */
  constructor(call, policy, endsAt) {
    this.call = call;
    this.policy = policy;
    this.endsAt = endsAt;
  }

  /** Return how long the next try may take, in milliseconds, or throw where there is no time left. */
  begin() {
    const leftMs = this.endsAt - performance.now();
    if (leftMs <= 0) {
      // A pause may take longer than it should.
      if (this.#lost) throw this.#unknown(`${this.#lost}; then its time was over`);
      const again = this.#tries ? " again" : "";
      throw new Unavailable(`${nameOf(this.call)} was not sent${again}: its time was over. Nothing changed.`, "deadline");
    }
    this.#tries += 1;
    return Math.min(this.policy.tryMs, leftMs);
  }

  /**
   * Return the error of a refusal.
   *
   * @param {Problem} problem
   * @returns {HoldfastError}
   */
  refused(problem) {
    if (this.#lost && (SAY_NOTHING.includes(problem.status) || !problem.outcome)) {
      return this.#unknown(`${this.#lost}; then ${problem.status} ${problem.outcome}`.trim());
    }
    return refusal(problem, this.#lost !== "");
  }

  /**
   * Return how long to wait before the next try, in milliseconds, or throw where there is none.
   *
   * @param {Extract<Verdict, { why: string }>} verdict
   * @returns {number}
   */
  pauseMs(verdict) {
    if (verdict.kind === "unknown" && this.call.repeat !== "reads") this.#lost = verdict.why || "no answer";
    if (this.#lost && this.call.repeat === "adds") throw this.#unknown(verdict.why);
    const pauseMs = pauseAfter(this.policy, this.#tries, verdict.retryAfterMs);
    if (this.#tries < this.policy.triesMax && performance.now() + pauseMs < this.endsAt) return pauseMs;
    if (this.#lost) {
      throw this.#unknown(verdict.why === this.#lost ? verdict.why : `${this.#lost}; then ${verdict.why}`);
    }
    const outcome = verdict.kind === "not_processed" ? verdict.outcome : "unreachable";
    const message =
      `${nameOf(this.call)} could not be made in ${this.#tries} tries: ${verdict.why}.` +
      " Nothing changed; try again later.";
    throw new Unavailable(message, outcome, verdict.retryAfterMs / 1_000);
  }

  /**
   * Return the error where the caller has ended the call, with a try on its way or not.
   *
   * @param {unknown} reason
   * @param {boolean} onItsWay
   * @returns {unknown}
   */
  aborted(reason, onItsWay) {
    if (this.call.repeat === "reads" || (!onItsWay && this.#lost === "")) return reason;
    return this.#unknown(`it was aborted: ${reason}`);
  }

  /** @param {string} why */
  #unknown(why) {
    return new OutcomeUnknown(this.call, this.#tries > 1 ? `${why}, after ${this.#tries} tries` : why);
  }
}
