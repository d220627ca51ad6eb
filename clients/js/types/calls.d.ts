/**
 * @template T
 * @param {Partial<Call<T>> & { method: string, path: string, repeat: Repeat }} parts
 * @returns {Call<T>}
 */
export function callOf<T>(parts: Partial<Call<T>> & {
    method: string;
    path: string;
    repeat: Repeat;
}): Call<T>;
/**
 * Build a request that reads.
 *
 * @template T
 * @param {string} path
 * @param {object | undefined} [query]
 * @returns {Call<T>}
 */
export function read<T>(path: string, query?: object | undefined): Call<T>;
/**
 * Build a request that reads what its body asks for.
 *
 * @template T
 * @param {string} path
 * @param {object} body
 * @returns {Call<T>}
 */
export function readByPost<T>(path: string, body: object): Call<T>;
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
export function keyed<T>(method: string, path: string, body: object | string | undefined, options: KeyedOptions | undefined): Call<T>;
/**
 * Return a call with its `Idempotency-Key`.
 *
 * @template T
 * @param {Call<T>} call
 * @param {string} key
 * @returns {Call<T>}
 */
export function withKey<T>(call: Call<T>, key: string): Call<T>;
/**
 * Return an idempotency key as it is, or throw where no header can have it.
 *
 * @param {string} key
 * @returns {string}
 */
export function checkedKey(key: string): string;
/**
 * Build a request whose effect is the same when it is repeated.
 *
 * @template T
 * @param {string} method
 * @param {string} path
 * @param {object | string | undefined} [body]
 * @returns {Call<T>}
 */
export function sets<T>(method: string, path: string, body?: object | string | undefined): Call<T>;
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
export function adds<T>(method: string, path: string, body: object, findOut: string): Call<T>;
/**
 * Return the query string of what was given, with its question mark.
 *
 * @param {object | undefined} given
 * @returns {string}
 */
export function queryOf(given: object | undefined): string;
/**
 * Write a SKU, location, channel or the like for a path.
 *
 * @param {string} name
 * @returns {string}
 */
export function nameInPath(name: string): string;
/**
 * Write the id of a reservation, transfer or expected receipt for a path, safe with every proxy.
 *
 * @param {string} id
 * @returns {string}
 */
export function idInPath(id: string): string;
/**
 * Write a path whose names are SKUs, locations, channels or the like: at`/v1/stock/${sku}/${location}`.
 *
 * @param {TemplateStringsArray} strings
 * @param {...string} names
 */
export function at(strings: TemplateStringsArray, ...names: string[]): string;
/**
 * Write a path whose names are ids: atId`/v1/reservations/${reservationId}`.
 *
 * @param {TemplateStringsArray} strings
 * @param {...string} ids
 */
export function atId(strings: TemplateStringsArray, ...ids: string[]): string;
export const KEY_CHARACTERS_MAX: 128;
/**
 * What happens when a request is sent again after its answer was lost.
 *
 * `reads`: nothing, it changes nothing. `has_key`: nothing, an id or an `Idempotency-Key` makes the server answer as it
 * did the first time. `sets`: nothing new, its effect is the same twice. `adds`: a second effect, so it is sent again
 * only where the first one surely was not processed.
 */
export type Repeat = "reads" | "has_key" | "sets" | "adds";
/**
 * One request. Sent again, it is the same one: its key was made with it.
 *
 * `path` has the query, percent-encoded. `key` is what makes repeats one effect: a `reservation_id`, or the
 * `Idempotency-Key`; empty where it has none. `findOut`: how to find out what came of it, where all answers were lost.
 * `raw`: the answer is bytes, and no JSON.
 */
export type Call<T> = {
    method: string;
    path: string;
    repeat: Repeat;
    body: string | Uint8Array | undefined;
    contentType: string;
    key: string;
    headers: Readonly<Record<string, string>>;
    findOut: string;
    raw: boolean;
    /**
     * never there: it carries the type of the answer
     */
    answers?: T;
};
/**
 * How one call is made, beside what it asks for.
 */
export type CallOptions = {
    /**
     * ends the call; nobody knows then what came of it
     */
    signal?: AbortSignal | undefined;
    /**
     * for the call with all its tries and pauses
     */
    deadlineMs?: number | undefined;
    /**
     * for one try
     */
    tryMs?: number | undefined;
    triesMax?: number | undefined;
};
/**
 * The same, of a call that takes an `Idempotency-Key`; without one it gets a new one.
 */
export type KeyedOptions = CallOptions & {
    idempotencyKey?: string | undefined;
};
