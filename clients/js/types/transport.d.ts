/**
 * Read a whole answer; what is longer than any of Holdfast's is none.
 *
 * @param {Response} response
 * @returns {Promise<Uint8Array>}
 */
export function bodyOf(response: Response): Promise<Uint8Array>;
/**
 * Say what was wrong with a connection, and whether the request surely did not leave.
 *
 * @param {any} error
 * @returns {Lost}
 */
export function lost(error: any): Lost;
/**
 * Wait; an aborted signal ends it early.
 *
 * @param {number} ms
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<void>}
 */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void>;
export class Transport {
    /** @param {ClientOptions} options */
    constructor({ url, key, policy, observe, fetch: other }: ClientOptions);
    url: string;
    key: string | (() => string | Promise<string>);
    /** @type {Policy} */
    policy: Policy;
    observe: ((one: Try) => void) | undefined;
    fetch: typeof fetch;
    /**
     * Return the policy of one call.
     *
     * @param {CallOptions | undefined} options
     * @returns {Policy}
     */
    policyOf({ deadlineMs, tryMs, triesMax }?: CallOptions | undefined): Policy;
    /**
     * Carry a call out, with its tries.
     *
     * @template T
     * @param {Call<T>} call
     * @param {CallOptions} [options]
     * @param {number} [endsAt] when it has to be over; else its deadline says so
     * @returns {Promise<T>}
     */
    run<T>(call: Call<T>, options?: CallOptions, endsAt?: number): Promise<T>;
    /**
     * Return what fetch takes.
     *
     * @param {Call<any>} call
     * @param {AbortSignal} signal
     * @returns {Promise<RequestInit>}
     */
    request(call: Call<any>, signal: AbortSignal): Promise<RequestInit>;
    /**
     * Tell who observes.
     *
     * @param {Call<any>} call
     * @param {Answer | Lost} reply
     * @param {number} ms
     */
    note(call: Call<any>, reply: Answer | Lost, ms: number): void;
    #private;
}
/**
 * One try of a call, for logs and figures. `status` is 0 where no whole answer came, and `why` says why.
 */
export type Try = {
    call: Call<any>;
    status: number;
    why: string;
    ms: number;
    requestId: string;
    replayed: boolean;
};
/**
 * What a client is made of.
 */
export type ClientOptions = {
    /**
     * where Holdfast is, such as `https://stock.example`
     */
    url: string;
    /**
     * an API key, a browser's token, or what
     * returns one: it is asked again when the time of a token is over
     */
    key?: string | (() => string | Promise<string>) | undefined;
    /**
     * deadlines and tries
     */
    policy?: Partial<Policy> | undefined;
    /**
     * is told of each try
     */
    observe?: ((one: Try) => void) | undefined;
    /**
     * another one than the global one
     */
    fetch?: typeof fetch | undefined;
};
import type { Lost } from "./verdicts.js";
import type { Policy } from "./decisions.js";
import type { CallOptions } from "./calls.js";
import type { Call } from "./calls.js";
import type { Answer } from "./verdicts.js";
