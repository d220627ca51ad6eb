// Asks the public API. What this page can, every client can: see /docs.

/** A request that was refused, or got no answer. `outcome` is for programs, `detail` for people. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || "");
    this.status = status;
    this.outcome = problem.outcome || "";
    this.title = problem.title || "";
    this.detail = problem.detail || "";
    this.errors = problem.errors || [];
    this.lines = problem.lines || [];
    this.problem = problem;
  }
}

const TRIES = 3; // of a read that the server was too busy for

const CLOCKS_MS = 5000; // by so much two clocks may differ: an answer takes its time, and its date has whole seconds

let aheadMs = 0;
let csrf = "";
let onEnded = () => {};

/** Set what requests that change something repeat, and what to call when the session has ended. */
export function useSession(token, ended) {
  csrf = token;
  onEnded = ended;
}

/** The time now by the server's clock, which is the one of all times that it answers; a tablet's may be hours off. */
export const nowMs = () => Date.now() + aheadMs;

function compareClocks(response) {
  const ahead = Date.parse(response.headers.get("Date")) - Date.now();
  if (!Number.isNaN(ahead)) aheadMs = Math.abs(ahead) > CLOCKS_MS ? ahead : 0;
}

/**
 * Writes a path whose names are encoded: at`/v1/stock/${sku}`. Throws Refused for "." and "..", with which a browser
 * would ask for another path, however they are encoded.
 */
export function at(texts, ...names) {
  if (names.some((name) => name === "." || name === "..")) throw new Refused(404, { outcome: "not_found" });
  return texts.reduce((path, text, i) => path + encodeURIComponent(names[i - 1]) + text);
}

/**
 * Writes the id of a reservation, or the number of an order, for a path: what a proxy or a browser might change in it
 * is written in base64url, as the API's documentation says.
 */
export function named(name) {
  if (/^\w[\w-]*(\.[\w-]+)*$/.test(name)) return name;
  const bytes = String.fromCharCode(...new TextEncoder().encode(name));
  return `~${btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

/** Writes a query: what is empty, null or undefined is left out. */
export function withQuery(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

/** A key that makes the repetition of one change safe. Make one per dialog, not per attempt. */
export const newKey = () => crypto.getRandomValues(new Uint32Array(4)).reduce((all, n) => all + n.toString(36), "web-");

/**
 * Sends a request and returns the decoded answer; throws Refused. `body` is sent as JSON, a Blob or FormData as it is.
 * `unattended`: nobody asked for it, so it does not keep the session. `key`: an idempotency key. `raw`: return the
 * Response itself.
 */
export async function api(method, path, body, { signal, unattended, key, raw, headers = {}, tries = 0 } = {}) {
  const sent = { ...headers };
  const isFile = body instanceof Blob || body instanceof FormData;
  if (body !== undefined && !isFile) sent["Content-Type"] = "application/json";
  if (method !== "GET" && csrf) sent["X-CSRF-Token"] = csrf;
  if (unattended) sent["X-Unattended"] = "1";
  if (key) sent["Idempotency-Key"] = key;
  let response;
  try {
    response = await fetch(path, {
      method, signal, headers: sent, cache: "no-store", credentials: "same-origin",
      body: body === undefined || isFile ? body : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { outcome: "no_connection" });
  }
  compareClocks(response);
  if (response.status === 503 && method === "GET" && tries < TRIES) {
    await new Promise((passed) => setTimeout(passed, 1000 * (Number(response.headers.get("Retry-After")) || 1)));
    return api(method, path, body, { signal, unattended, key, raw, headers, tries: tries + 1 });
  }
  if (raw && response.ok) return response;
  const text = await response.text();
  let answer = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    answer = { outcome: "internal_error", detail: text.slice(0, 200) };
  }
  if (response.ok) return answer;
  if (response.status === 401 && !sent.Authorization) onEnded();
  throw new Refused(response.status, answer || {});
}

export const get = (path, options) => api("GET", path, undefined, options);
export const post = (path, body, options) => api("POST", path, body, options);
export const put = (path, body, options) => api("PUT", path, body, options);
export const del = (path, options) => api("DELETE", path, undefined, options);
