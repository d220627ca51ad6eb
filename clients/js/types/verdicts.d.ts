/**
 * What came back, whole.
 *
 * @typedef {object} Answer
 * @property {number} status
 * @property {Headers} headers
 * @property {Uint8Array} body
 */
/**
 * No whole answer came. `sent` false: the request surely did not leave.
 *
 * @typedef {{ why: string, sent: boolean }} Lost
 */
/**
 * What a try came to. `done`: the call has its answer. `refused`: the server will not have it. `not_processed`: surely
 * nothing happened. `unknown`: it may have happened.
 *
 * @typedef {{ kind: "done", value: any }
 *   | { kind: "refused", problem: Problem }
 *   | { kind: "not_processed", why: string, outcome: string, retryAfterMs: number }
 *   | { kind: "unknown", why: string, retryAfterMs: number }} Verdict
 */
/**
 * Say what one try of a call came to.
 *
 * @param {Call<any>} call
 * @param {Answer | Lost} reply
 * @returns {Verdict}
 */
export function judge(call: Call<any>, reply: Answer | Lost): Verdict;
/** Outcomes that promise that nothing happened, of a request or of an element of a batch. */
export const NOT_PROCESSED: string[];
/**
 * What came back, whole.
 */
export type Answer = {
    status: number;
    headers: Headers;
    body: Uint8Array;
};
/**
 * No whole answer came. `sent` false: the request surely did not leave.
 */
export type Lost = {
    why: string;
    sent: boolean;
};
/**
 * What a try came to. `done`: the call has its answer. `refused`: the server will not have it. `not_processed`: surely
 * nothing happened. `unknown`: it may have happened.
 */
export type Verdict = {
    kind: "done";
    value: any;
} | {
    kind: "refused";
    problem: Problem;
} | {
    kind: "not_processed";
    why: string;
    outcome: string;
    retryAfterMs: number;
} | {
    kind: "unknown";
    why: string;
    retryAfterMs: number;
};
import type { Call } from "./calls.js";
import type { Problem } from "../types/api/index.js";
