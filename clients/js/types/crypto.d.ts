/** @returns {Promise<Crypto>} */
export function webCrypto(): Promise<Crypto>;
/** Return an idempotency key that nobody else has. */
export function newKey(): Promise<string>;
