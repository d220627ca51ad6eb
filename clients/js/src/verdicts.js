// What one try of a call came to: its answer, a refusal, surely nothing, or nobody knows.

/** @import { Call } from "./calls.js" */
/** @import { Problem } from "../types/api/index.js" */

const ASK_AGAIN = [408, 425]; // statuses of proxies that ask for the request again
const SHOWN_CHARACTERS = 200;
const PROBLEM = "application/problem+json";
/** Outcomes that promise that nothing happened, of a request or of an element of a batch. */
export const NOT_PROCESSED = ["overloaded", "store_unavailable", "request_timeout"];
/** Who asks for more than a day does not mean it. */
const RETRY_AFTER_MAX_MS = 86_400_000;
const DATE = /^[A-Z][a-z]{2,8}, /;

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
export function judge(call, reply) {
  if ("sent" in reply) {
    return reply.sent
      ? { kind: "unknown", why: reply.why, retryAfterMs: 0 }
      : { kind: "not_processed", why: reply.why, outcome: "unreachable", retryAfterMs: 0 };
  }
  if (reply.status >= 200 && reply.status < 300) return decoded(call, reply);
  const problem = problemOf(reply);
  const retryAfterMs = retryAfterMsOf(reply.headers);
  const why = `${reply.status} ${problem.outcome || problem.detail}`.trim();
  if (NOT_PROCESSED.includes(problem.outcome)) {
    return { kind: "not_processed", why, outcome: problem.outcome, retryAfterMs };
  }
  if (reply.status === 429) {
    return { kind: "not_processed", why, outcome: problem.outcome || "too_many_requests", retryAfterMs };
  }
  if (reply.status >= 500 || (ASK_AGAIN.includes(reply.status) && !problem.outcome)) {
    return { kind: "unknown", why, retryAfterMs };
  }
  return { kind: "refused", problem };
}

/**
 * @param {Call<any>} call
 * @param {Answer} answer
 * @returns {Verdict}
 */
function decoded(call, answer) {
  if (call.raw) return { kind: "done", value: answer.body };
  let why = "an answer is an object";
  try {
    const value = JSON.parse(textOf(answer.body));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { kind: "done", value };
  } catch (error) {
    why = `${error}`;
  }
  return { kind: "unknown", why: `${answer.status} with a body that is not the answer: ${why}`, retryAfterMs: 0 };
}

/**
 * Read a refusal; what is no problem of Holdfast's, such as a proxy's page, has an empty outcome.
 *
 * @param {Answer} answer
 * @returns {Problem}
 */
function problemOf(answer) {
  const text = textOf(answer.body);
  if (answer.headers.get("content-type")?.startsWith(PROBLEM)) {
    try {
      const problem = JSON.parse(text);
      if (typeof problem?.outcome === "string") return problem;
    } catch {
      // It broke off.
    }
  }
  const isRedirect = answer.status === 0 || (answer.status >= 300 && answer.status < 400); // pages are not told which
  const location = (answer.headers.get("location") ?? "another address").slice(0, SHOWN_CHARACTERS);
  const said = isRedirect ? `It points to ${location}, and is not followed` : text.replace(/\s+/g, " ").trim();
  return {
    type: "about:blank",
    title: "An answer that is not Holdfast's; is there a proxy, or another server at this address?",
    status: answer.status,
    detail: said.slice(0, SHOWN_CHARACTERS) || "empty",
    outcome: "",
    retryable: false,
  };
}

/**
 * Read the header, in seconds or as a date; 0 where there is none that can be read, and never more than a day.
 *
 * A date is compared with the one of the answer, since our clock may be another.
 *
 * @param {Headers} headers
 * @returns {number}
 */
function retryAfterMsOf(headers) {
  const text = (headers.get("retry-after") ?? "").trim();
  if (/^\d+$/.test(text)) return Math.min(RETRY_AFTER_MAX_MS, Number(text) * 1_000);
  if (!DATE.test(text)) return 0; // what else Date.parse takes for a date is none
  const now = Date.parse(headers.get("date") ?? "") || Date.now();
  return Math.min(RETRY_AFTER_MAX_MS, Math.max(0, Date.parse(text) - now)) || 0;
}

/** @param {Uint8Array} bytes */
function textOf(bytes) {
  return new TextDecoder().decode(bytes);
}
