/** @import { Transport } from "./transport.js" */
/** @import { Change } from "./events.js" */
/**
 * @typedef {object} StreamOptions
 * @property {string | undefined} [after] the `position` of a change, or `changes_after` of a snapshot; `0` is all that
 *   the journal has; without one it begins now
 * @property {AbortSignal | undefined} [signal] ends the stream: the iteration is over then, without an error
 * @property {((state: "open" | "broken") => void) | undefined} [onState] is told when it is open, and when it broke off;
 *   what it throws ends the iteration
 */
/** What changes of what is available: `GET /v1/changes`. */
export class Changes {
    /** @param {Transport} transport */
    constructor(transport: Transport);
    /**
     * Follow every change from a place on. It comes back after every break, and misses nothing in between.
     *
     * While iterating it throws `SnapshotNeeded` where changes were missed, so that everything has to be read again;
     * `StreamClosed` where the key was revoked; `Refused` where the server does not open it, and `Unavailable` where it is
     * not Holdfast.
     *
     * @param {StreamOptions} [options]
     * @returns {AsyncGenerator<Change, void, undefined>}
     */
    stream(options?: StreamOptions): AsyncGenerator<Change, void, undefined>;
    /**
     * Read everything that is available, then follow every change, and do so again where changes were missed.
     *
     * With `after` it goes on from there, and reads everything only if it must. A browser's token may not read everything:
     * a page opens `stream`, and reads what it shows whenever that is open.
     *
     * @param {StreamOptions} [options]
     * @returns {AsyncGenerator<Change, void, undefined>}
     */
    follow(options?: StreamOptions): AsyncGenerator<Change, void, undefined>;
    #private;
}
export type StreamOptions = {
    /**
     * the `position` of a change, or `changes_after` of a snapshot; `0` is all that
     * the journal has; without one it begins now
     */
    after?: string | undefined;
    /**
     * ends the stream: the iteration is over then, without an error
     */
    signal?: AbortSignal | undefined;
    /**
     * is told when it is open, and when it broke off;
     * what it throws ends the iteration
     */
    onState?: ((state: "open" | "broken") => void) | undefined;
};
import type { Change } from "./events.js";
import type { Transport } from "./transport.js";
