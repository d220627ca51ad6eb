/** @import { Call, CallOptions } from "./calls.js" */
/** @import { Transport } from "./transport.js" */
export class Resource {
    /** @param {Transport} transport */
    constructor(transport: Transport);
    /** @protected */
    protected transport: Transport;
    /**
     * @protected
     * @template T
     * @param {Call<T>} call
     * @param {CallOptions | undefined} options
     * @returns {Promise<T>}
     */
    protected run<T>(call: Call<T>, options: CallOptions | undefined): Promise<T>;
}
import type { Transport } from "./transport.js";
import type { Call } from "./calls.js";
import type { CallOptions } from "./calls.js";
