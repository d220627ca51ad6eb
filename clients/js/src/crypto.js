// WebCrypto, which Node.js has under a name of its own before release 20.

/** @returns {Promise<Crypto>} */
export async function webCrypto() {
  if (globalThis.crypto) return globalThis.crypto;
  const { webcrypto } = await import("node:crypto");
  return /** @type {Crypto} */ (/** @type {unknown} */ (webcrypto));
}

/** Return an idempotency key that nobody else has. */
export async function newKey() {
  // A page without TLS has no randomUUID, and this.
  const bytes = (await webCrypto()).getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
