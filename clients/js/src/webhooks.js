// Webhooks that Holdfast sends: the signature is checked in constant time, then the events are read.
// They are Standard Webhooks that contain CloudEvents; see `docs/webhooks.md` and the channel of kind `webhook`.

import { webCrypto } from "./crypto.js";
import { HoldfastError } from "./errors.js";

/** How old or how far ahead a delivery may be: a recorded one cannot be sent again later. */
export const TOLERANCE_S = 300;
const PREFIX = "whsec_";
const SECRET_RULE = "the secret of a webhook is whsec_ and bytes in base64, as it stands in the configuration";

/** The delivery is not what Holdfast sent, or not now: answer 401, and do not read it. */
export class BadSignature extends HoldfastError {}

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
export async function read(body, headers, secrets, options) {
  await verify(body, headers, secrets, options);
  const text = typeof body === "string" ? body : new TextDecoder().decode(body);
  const found = JSON.parse(text);
  return Array.isArray(found) ? found : [found];
}

/**
 * Check that Holdfast has signed this body, now; see `read`.
 *
 * @param {Uint8Array | string} body
 * @param {AnyHeaders} headers
 * @param {string | readonly string[]} secrets
 * @param {VerifyOptions} [options]
 * @returns {Promise<void>}
 */
export async function verify(body, headers, secrets, { toleranceS = TOLERANCE_S, now = Date.now } = {}) {
  if (typeof body !== "string" && !(body instanceof Uint8Array)) {
    throw new TypeError("the body of a webhook is its raw bytes or text, as it came; turn off what parses it before");
  }
  const all = typeof secrets === "string" ? [secrets] : secrets;
  if (!all.length) throw new TypeError(SECRET_RULE);
  const id = headerOf(headers, "webhook-id");
  const timestamp = headerOf(headers, "webhook-timestamp");
  if (!id || !/^\d+$/.test(timestamp)) throw new BadSignature("webhook-id and webhook-timestamp are missing, or none");
  const isOfNow = Math.abs(now() / 1_000 - Number(timestamp)) <= toleranceS;
  if (!isOfNow) {
    throw new BadSignature("webhook-timestamp is too old or too far ahead; is the clock right?");
  }
  const raw = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const head = new TextEncoder().encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array(head.length + raw.length);
  signed.set(head);
  signed.set(raw, head.length);
  const given = headerOf(headers, "webhook-signature").split(" ");
  const sent = given.filter((each) => each.startsWith("v1,")).map((each) => bytesOf(each.slice("v1,".length)));
  // All are compared, so that how long it takes says nothing; `verify` of WebCrypto takes as long for each.
  let fits = 0;
  const { subtle } = await webCrypto();
  for (const secret of all) {
    const key = await subtle.importKey("raw", keyOf(secret), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
    for (const signature of sent) {
      if (signature && (await subtle.verify("HMAC", key, signature, signed))) fits += 1;
    }
  }
  if (!fits) throw new BadSignature("no signature of the delivery fits the body and the secret");
}

/**
 * @param {AnyHeaders} headers
 * @param {string} name
 * @returns {string}
 */
function headerOf(headers, name) {
  if (headers instanceof Headers) return headers.get(name) ?? "";
  const found = Object.entries(headers).find(([each]) => each.toLowerCase() === name)?.[1];
  return String(found ?? "");
}

/**
 * @param {string} secret
 * @returns {Uint8Array<ArrayBuffer>}
 */
function keyOf(secret) {
  const text = secret.trim(); // a file has an end of line behind it
  const key = bytesOf(text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text);
  if (key?.length) return key;
  throw new TypeError(SECRET_RULE);
}

/**
 * @param {string} base64
 * @returns {Uint8Array<ArrayBuffer> | undefined}
 */
function bytesOf(base64) {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
