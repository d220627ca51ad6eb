// The operations about one thing, bound to a client.

/** @import { Call, CallOptions } from "./calls.js" */
/** @import { Transport } from "./transport.js" */

export class Resource {
  /** @param {Transport} transport */
  constructor(transport) {
    /** @protected */
    this.transport = transport;
  }

  /**
   * @protected
   * @template T
   * @param {Call<T>} call
   * @param {CallOptions | undefined} options
   * @returns {Promise<T>}
   */
  run(call, options) {
    return this.transport.run(call, options);
  }
}
