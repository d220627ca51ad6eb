// What one request is: its method, path and body, and what a repeat of it would do.

/**
 * What happens when a request is sent again after its answer was lost.
 *
 * `reads`: nothing, it changes nothing. `has_key`: nothing, an id or an `Idempotency-Key` makes the server answer as it
 * did the first time. `sets`: nothing new, its effect is the same twice. `adds`: a second effect, so it is sent again
 * only where the first one surely was not processed.
 *
 * @typedef {"reads" | "has_key" | "sets" | "adds"} Repeat
 */

/**
 * One request. Sent again, it is the same one: its key was made with it.
 *
 * `path` has the query, percent-encoded. `key` is what makes repeats one effect: a `reservation_id`, or the
 * `Idempotency-Key`; empty where it has none. `findOut`: how to find out what came of it, where all answers were lost.
 * `raw`: the answer is bytes, and no JSON.
 *
 * @template T
 * @typedef {object} Call
 * @property {string} method
 * @property {string} path
 * @property {Repeat} repeat
 * @property {string | Uint8Array | undefined} body
 * @property {string} contentType
 * @property {string} key
 * @property {Readonly<Record<string, string>>} headers
 * @property {string} findOut
 * @property {boolean} raw
 * @property {T} [answers] never there: it carries the type of the answer
 */

/**
 * How one call is made, beside what it asks for.
 *
 * @typedef {object} CallOptions
 * @property {AbortSignal | undefined} [signal] ends the call; nobody knows then what came of it
 * @property {number | undefined} [deadlineMs] for the call with all its tries and pauses
 * @property {number | undefined} [tryMs] for one try
 * @property {number | undefined} [triesMax]
 */

/**
 * The same, of a call that takes an `Idempotency-Key`; without one it gets a new one.
 *
 * @typedef {CallOptions & { idempotencyKey?: string | undefined }} KeyedOptions
 */

const JSON_TYPE = "application/json";
export const KEY_CHARACTERS_MAX = 128;
const KEY = new RegExp(`^[ -~]{1,${KEY_CHARACTERS_MAX}}$`);
const PLAIN_ID = /^(?!\.{1,2}$)[A-Za-z0-9._-]+$/;

/**
 * @template T
 * @param {Partial<Call<T>> & { method: string, path: string, repeat: Repeat }} parts
 * @returns {Call<T>}
 */
export function callOf(parts) {
  return { body: undefined, contentType: JSON_TYPE, key: "", headers: {}, findOut: "", raw: false, ...parts };
}

/**
 * Build a request that reads.
 *
 * @template T
 * @param {string} path
 * @param {object | undefined} [query]
 * @returns {Call<T>}
 */
export function read(path, query) {
  return callOf({ method: "GET", path: path + queryOf(query), repeat: "reads" });
}

/**
 * Build a request that reads what its body asks for.
 *
 * @template T
 * @param {string} path
 * @param {object} body
 * @returns {Call<T>}
 */
export function readByPost(path, body) {
  return callOf({ method: "POST", path, repeat: "reads", body: JSON.stringify(body) });
}

/**
 * Build a request that has one effect under its `Idempotency-Key`; without one it gets a new one before it is sent.
 *
 * @template T
 * @param {string} method
 * @param {string} path
 * @param {object | string | undefined} body
 * @param {KeyedOptions | undefined} options
 * @returns {Call<T>}
 */
export function keyed(method, path, body, options) {
  const sent = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
  /** @type {Call<T>} */
  const call = callOf({ method, path, repeat: "has_key", body: sent });
  return options?.idempotencyKey === undefined ? call : withKey(call, options.idempotencyKey);
}

/**
 * Return a call with its `Idempotency-Key`.
 *
 * @template T
 * @param {Call<T>} call
 * @param {string} key
 * @returns {Call<T>}
 */
export function withKey(call, key) {
  checkedKey(key);
  const findOut = `call it again with idempotencyKey ${JSON.stringify(key)}`;
  return { ...call, key, headers: { ...call.headers, "Idempotency-Key": key }, findOut };
}

/**
 * Return an idempotency key as it is, or throw where no header can have it.
 *
 * @param {string} key
 * @returns {string}
 */
export function checkedKey(key) {
  if (typeof key === "string" && KEY.test(key)) return key; // null would be tested as "null"
  const rule = `an idempotencyKey has 1 to ${KEY_CHARACTERS_MAX} printable ASCII characters`;
  throw new RangeError(`${rule}, not ${JSON.stringify(key)}`);
}

/**
 * Build a request whose effect is the same when it is repeated.
 *
 * @template T
 * @param {string} method
 * @param {string} path
 * @param {object | string | undefined} [body]
 * @returns {Call<T>}
 */
export function sets(method, path, body) {
  return callOf({
    method,
    path,
    repeat: "sets",
    body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
    findOut: "call it again, which has the same effect",
  });
}

/**
 * Build a request that would have a second effect.
 *
 * @template T
 * @param {string} method
 * @param {string} path
 * @param {object} body
 * @param {string} findOut
 * @returns {Call<T>}
 */
export function adds(method, path, body, findOut) {
  return callOf({ method, path, repeat: "adds", body: JSON.stringify(body), findOut });
}

/**
 * Return the query string of what was given, with its question mark.
 *
 * @param {object | undefined} given
 * @returns {string}
 */
export function queryOf(given) {
  const pairs = Object.entries(given ?? {}).filter(([, value]) => value !== undefined && value !== null);
  const written = pairs.map(([name, value]) => `${name}=${encodeURIComponent(textOf(value))}`);
  return written.length ? `?${written.join("&")}` : "";
}

/** @param {unknown} value */
function textOf(value) {
  return value instanceof Date ? value.toISOString() : String(value);
}

/**
 * Write a SKU, location, channel or the like for a path.
 *
 * @param {string} name
 * @returns {string}
 */
export function nameInPath(name) {
  checkText(name);
  if (name === "" || name === "." || name === "..") {
    throw new RangeError(`${JSON.stringify(name)} cannot stand in a path; use a route that takes names in its body`);
  }
  return encodeURIComponent(name);
}

/**
 * Throw where a name is none: a name that is missing would be written as "undefined".
 *
 * @param {unknown} name
 */
function checkText(name) {
  if (typeof name !== "string") throw new TypeError(`a name in a path is text, not ${name}`);
  if (/\p{Surrogate}/u.test(name)) throw new RangeError("a name in a path is Unicode, and this one has half a character");
}

/**
 * Write the id of a reservation, transfer or expected receipt for a path, safe with every proxy.
 *
 * @param {string} id
 * @returns {string}
 */
export function idInPath(id) {
  checkText(id);
  if (id === "") throw new RangeError("an id has at least one character");
  if (PLAIN_ID.test(id)) return id;
  const bytes = String.fromCharCode(...new TextEncoder().encode(id));
  return `~${btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

/**
 * Write a path whose names are SKUs, locations, channels or the like: at`/v1/stock/${sku}/${location}`.
 *
 * @param {TemplateStringsArray} strings
 * @param {...string} names
 */
export function at(strings, ...names) {
  return String.raw({ raw: strings }, ...names.map(nameInPath));
}

/**
 * Write a path whose names are ids: atId`/v1/reservations/${reservationId}`.
 *
 * @param {TemplateStringsArray} strings
 * @param {...string} ids
 */
export function atId(strings, ...ids) {
  return String.raw({ raw: strings }, ...ids.map(idInPath));
}
