/**
 * One event. `data` has what `docs/webhooks.md` says of its `type`. A repeated `id` is a repeated event: keep the ids
 * of the last days, and drop repetitions.
 *
 * @typedef {object} CloudEvent
 * @property {string} id
 * @property {string} type
 * @property {string} source
 * @property {string} [subject]
 * @property {string} [time]
 * @property {Record<string, any>} data
 */
/**
 * The headers of a request, in any case: those of fetch, or of Node.js.
 *
 * @typedef {Headers | Readonly<Record<string, string | readonly string[] | undefined>>} AnyHeaders
 */
/**
 * @typedef {object} VerifyOptions
 * @property {number | undefined} [toleranceS]
 * @property {(() => number) | undefined} [now] what time it is, in milliseconds since 1970
 */
/**
 * Check a delivery, and return its events. Throws `BadSignature` where it is not signed with one of the secrets, was
 * changed, or is not of now.
 *
 * @param {Uint8Array | string} body the raw body, as it came
 * @param {AnyHeaders} headers
 * @param {string | readonly string[]} secrets `whsec_…`; several while you change it
 * @param {VerifyOptions} [options]
 * @returns {Promise<CloudEvent[]>}
 */
export function read(body: Uint8Array | string, headers: AnyHeaders, secrets: string | readonly string[], options?: VerifyOptions): Promise<CloudEvent[]>;
/**
 * Check that Holdfast has signed this body, now; see `read`.
 *
 * @param {Uint8Array | string} body
 * @param {AnyHeaders} headers
 * @param {string | readonly string[]} secrets
 * @param {VerifyOptions} [options]
 * @returns {Promise<void>}
 */
export function verify(body: Uint8Array | string, headers: AnyHeaders, secrets: string | readonly string[], { toleranceS, now }?: VerifyOptions): Promise<void>;
/** How old or how far ahead a delivery may be: a recorded one cannot be sent again later. */
export const TOLERANCE_S: 300;
/** The delivery is not what Holdfast sent, or not now: answer 401, and do not read it. */
export class BadSignature extends HoldfastError {
}
/**
 * One event. `data` has what `docs/webhooks.md` says of its `type`. A repeated `id` is a repeated event: keep the ids
 * of the last days, and drop repetitions.
 */
export type CloudEvent = {
    id: string;
    type: string;
    source: string;
    subject?: string;
    time?: string;
    data: Record<string, any>;
};
/**
 * The headers of a request, in any case: those of fetch, or of Node.js.
 */
export type AnyHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;
export type VerifyOptions = {
    toleranceS?: number | undefined;
    /**
     * what time it is, in milliseconds since 1970
     */
    now?: (() => number) | undefined;
};
import { HoldfastError } from "./errors.js";
