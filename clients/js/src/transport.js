// A thin transport over fetch: it carries out what the decisions say, and reports what came back.

import { withKey } from "./calls.js";
import { newKey } from "./crypto.js";
import { POLICY, Tries } from "./decisions.js";
import { judge } from "./verdicts.js";

/** @import { Call, CallOptions } from "./calls.js" */
/** @import { Policy } from "./decisions.js" */
/** @import { Answer, Lost } from "./verdicts.js" */

/**
 * One try of a call, for logs and figures. `status` is 0 where no whole answer came, and `why` says why.
 *
 * @typedef {object} Try
 * @property {Call<any>} call
 * @property {number} status
 * @property {string} why
 * @property {number} ms
 * @property {string} requestId
 * @property {boolean} replayed
 */

/**
 * What a client is made of.
 *
 * @typedef {object} ClientOptions
 * @property {string} url where Holdfast is, such as `https://stock.example`
 * @property {string | (() => string | Promise<string>) | undefined} [key] an API key, a browser's token, or what
 *   returns one: it is asked again when the time of a token is over
 * @property {Partial<Policy> | undefined} [policy] deadlines and tries
 * @property {((one: Try) => void) | undefined} [observe] is told of each try
 * @property {typeof fetch | undefined} [fetch] another one than the global one
 */

/** What is longer is no answer of Holdfast's. */
const ANSWER_BYTES_MAX = 64 << 20;
/** What setTimeout takes at most: it takes more for nothing, and ends at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;
const NOT_SENT = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"];

export class Transport {
  /** @param {ClientOptions} options */
  constructor({ url, key = "", policy = {}, observe, fetch: other }) {
    this.url = addressOf(url);
    this.key = typeof key === "string" ? checkedKey(key) : key;
    /** @type {Policy} */
    this.policy = { ...POLICY, ...policy };
    this.observe = observe;
    this.fetch = other ?? ((input, init) => fetch(input, init));
  }

  /**
   * Return the policy of one call.
   *
   * @param {CallOptions | undefined} options
   * @returns {Policy}
   */
  policyOf({ deadlineMs, tryMs, triesMax } = {}) {
    const { policy } = this;
    return {
      ...policy,
      deadlineMs: deadlineMs ?? policy.deadlineMs,
      tryMs: tryMs ?? policy.tryMs,
      triesMax: triesMax ?? policy.triesMax,
    };
  }

  /**
   * Carry a call out, with its tries.
   *
   * @template T
   * @param {Call<T>} call
   * @param {CallOptions} [options]
   * @param {number} [endsAt] when it has to be over; else its deadline says so
   * @returns {Promise<T>}
   */
  async run(call, options, endsAt) {
    const policy = this.policyOf(options);
    const whole = call.repeat === "has_key" && !call.key ? withKey(call, await newKey()) : call;
    const tries = new Tries(whole, policy, endsAt ?? performance.now() + policy.deadlineMs);
    const signal = options?.signal;
    for (;;) {
      if (signal?.aborted) throw tries.aborted(signal.reason, false);
      const reply = await this.#exchange(whole, tries.begin(), signal);
      if (signal?.aborted && "sent" in reply) throw tries.aborted(signal.reason, reply.sent);
      const verdict = judge(whole, reply);
      if (verdict.kind === "done") return verdict.value;
      if (verdict.kind === "refused") throw tries.refused(verdict.problem);
      await pause(tries.pauseMs(verdict), signal);
    }
  }

  /**
   * Return what fetch takes.
   *
   * @param {Call<any>} call
   * @param {AbortSignal} signal
   * @returns {Promise<RequestInit>}
   */
  async request(call, signal) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "application/json", ...call.headers };
    if (call.body !== undefined) headers["Content-Type"] = call.contentType;
    const key = typeof this.key === "function" ? checkedKey(await this.key()) : this.key;
    if (key) headers["Authorization"] = `Bearer ${key}`;
    const body = /** @type {BodyInit | null} */ (call.body ?? null);
    return { method: call.method, headers, body, signal, redirect: "manual", credentials: "omit", cache: "no-store" };
  }

  /**
   * Send a call once, and read its whole answer.
   *
   * @param {Call<any>} call
   * @param {number} withinMs
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<Answer | Lost>}
   */
  async #exchange(call, withinMs, signal) {
    const beganMs = performance.now();
    const ending = new AbortController();
    const end = () => ending.abort(signal?.reason);
    const tooLate = new Error(`no whole answer within ${Math.ceil(withinMs)} ms`);
    const late = setTimeout(() => ending.abort(tooLate), Math.min(withinMs, TIMER_MAX_MS));
    signal?.addEventListener("abort", end, { once: true });
    /** @type {Answer | Lost} */
    let reply;
    let sent = false;
    try {
      const request = await this.request(call, ending.signal);
      sent = true;
      const response = await this.fetch(this.url + call.path, request);
      const { status, headers } = response;
      reply = { status, headers, body: await bodyOf(response) };
    } catch (error) {
      reply = lost(ending.signal.aborted ? ending.signal.reason : error);
      reply.sent &&= sent;
    } finally {
      clearTimeout(late);
      signal?.removeEventListener("abort", end);
    }
    this.note(call, reply, performance.now() - beganMs);
    return reply;
  }

  /**
   * Tell who observes.
   *
   * @param {Call<any>} call
   * @param {Answer | Lost} reply
   * @param {number} ms
   */
  note(call, reply, ms) {
    if (this.observe === undefined) return;
    const headers = "headers" in reply ? reply.headers : new Headers();
    const requestId = headers.get("x-request-id") ?? "";
    const replayed = headers.get("idempotent-replayed") === "true";
    const [status, why] = "sent" in reply ? [0, reply.why] : [reply.status, ""];
    this.observe({ call, status, why, ms, requestId, replayed });
  }
}

/**
 * Check where the server is, and return it without what stands around it in a file, and without a slash at its end.
 *
 * @param {string} url
 * @returns {string}
 */
function addressOf(url) {
  if (String(url).includes("@")) { // it is not shown, since there is a password in it
    throw new TypeError("the url of a server has no user and no password: the key is given beside it");
  }
  const parts = urlOf(url);
  if (!parts || !/^https?:$/.test(parts.protocol) || parts.search || parts.hash) {
    const rule = "the url of a server is http:// or https://, a host and perhaps a path";
    throw new TypeError(`${rule}, not ${JSON.stringify(url)}`);
  }
  return url.trim().replace(/\/+$/, "");
}

/**
 * Return a key without what stands around it in a file.
 *
 * @param {string} key
 * @returns {string}
 */
function checkedKey(key) {
  const text = String(key ?? "").trim();
  if (/^[!-~]*$/.test(text)) return text;
  throw new TypeError("the key of a client is hf_… as it was shown when it was made, in ASCII and without spaces");
}

/** @param {string} url */
function urlOf(url) {
  try {
    return new URL(url);
  } catch {
    return undefined;
  }
}

/**
 * Read a whole answer; what is longer than any of Holdfast's is none.
 *
 * @param {Response} response
 * @returns {Promise<Uint8Array>}
 */
export async function bodyOf(response) {
  const reader = response.body?.getReader();
  /** @type {Uint8Array[]} */
  const pieces = [];
  let bytes = 0;
  for (let piece = await reader?.read(); piece?.value; piece = await reader?.read()) {
    pieces.push(piece.value);
    bytes += piece.value.length;
    if (bytes > ANSWER_BYTES_MAX) {
      await reader?.cancel();
      throw new Error(`an answer of more than ${ANSWER_BYTES_MAX >> 20} MiB`);
    }
  }
  const body = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    body.set(piece, at);
    at += piece.length;
  }
  return body;
}

/**
 * Say what was wrong with a connection, and whether the request surely did not leave.
 *
 * @param {any} error
 * @returns {Lost}
 */
export function lost(error) {
  const cause = error?.cause;
  const why = [error?.message ?? error, cause?.code ?? cause?.message].filter(Boolean).join(": ");
  return { why, sent: !NOT_SENT.includes(cause?.code) };
}

/**
 * Wait; an aborted signal ends it early.
 *
 * @param {number} ms
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<void>}
 */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(ms, TIMER_MAX_MS));
    signal?.addEventListener("abort", done, { once: true });
    if (signal?.aborted) done();
  });
}
