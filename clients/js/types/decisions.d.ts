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
export function pauseAfter(policy: Policy, tries: number, retryAfterMs?: number): number;
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
export const POLICY: Readonly<Policy>;
/** The tries of one call. */
export class Tries {
    /**
     * @param {Call<any>} call
     * @param {Policy} policy
     * @param {number} endsAt when the call has to be over, by `performance.now()`
     */
    constructor(call: Call<any>, policy: Policy, endsAt: number);
    call: Call<any>;
    policy: Policy;
    endsAt: number;
    /** Return how long the next try may take, in milliseconds, or throw where there is no time left. */
    begin(): number;
    /**
     * Return the error of a refusal.
     *
     * @param {Problem} problem
     * @returns {HoldfastError}
     */
    refused(problem: Problem): HoldfastError;
    /**
     * Return how long to wait before the next try, in milliseconds, or throw where there is none.
     *
     * @param {Extract<Verdict, { why: string }>} verdict
     * @returns {number}
     */
    pauseMs(verdict: Extract<Verdict, {
        why: string;
    }>): number;
    /**
     * Return the error where the caller has ended the call, with a try on its way or not.
     *
     * @param {unknown} reason
     * @param {boolean} onItsWay
     * @returns {unknown}
     */
    aborted(reason: unknown, onItsWay: boolean): unknown;
    #private;
}
/**
 * How long a call may take, and how often it is tried.
 */
export type Policy = {
    /**
     * for a call with all its tries and pauses
     */
    deadlineMs: number;
    /**
     * for one try
     */
    tryMs: number;
    /**
     * how often a call is sent at most
     */
    triesMax: number;
    /**
     * the pause after the first try; it doubles with each and is spread at random
     */
    pauseMs: number;
    /**
     * its limit; `Retry-After` makes it longer
     */
    pauseMaxMs: number;
};
import type { Call } from "./calls.js";
import type { Problem } from "../types/api/index.js";
import type { HoldfastError } from "./errors.js";
import type { Verdict } from "./verdicts.js";
