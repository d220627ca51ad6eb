/** @import { Call } from "./calls.js" */
/** @import { Policy } from "./decisions.js" */
/** @import { Refused, Unavailable } from "./errors.js" */
/** @import { Answer } from "./verdicts.js" */
/** @import { AvailabilityView, SnapshotPage } from "../types/api/index.js" */
/** The server sends something every 15 s at least; what is silent for so long is gone. */
export const SILENCE_MAX_MS: 45000;
/**
 * The stream cannot go on from where it was: changes were missed.
 *
 * Read everything with `availability.snapshot` and open the stream with its `changes_after` as `after`.
 * `changes.follow` does both.
 */
export class SnapshotNeeded extends HoldfastError {
    /** @param {string} reason */
    constructor(reason: string);
    reason: string;
}
/**
 * The server has ended the stream for good, or for this key: `reason` is a word of `docs/api`.
 *
 * `unreadable`: the same event could not be read twice. Is there a proxy, or a much newer server?
 */
export class StreamClosed extends HoldfastError {
    /**
     * @param {string} reason
     * @param {string} detail
     */
    constructor(reason: string, detail: string);
    reason: string;
}
/**
 * The newest value of a SKU.
 *
 * `position`: keep it when this change is worked off, and a later stream with it as `after` misses nothing. It is empty
 * while a snapshot is read. `isSnapshot`: the value was read, and is no news.
 *
 * @typedef {{ view: AvailabilityView, position: string, isSnapshot: boolean }} Change
 */
/** @typedef {{ name: string, id: string, data: string }} Event */
/** Cuts bytes, however they come, into the events of a stream. */
export class Lines {
    retryMs: number;
    /** How long the event is that has no end yet. */
    characters: number;
    /**
     * Return each event that is whole by now; one with an id alone is an event, too.
     *
     * @param {Uint8Array} chunk
     * @returns {Event[]}
     */
    feed(chunk: Uint8Array): Event[];
    #private;
}
/** Where a stream is, and what to do next: read a page of the snapshot, open the stream, or end. */
export class Following {
    /**
     * @param {string} after where to begin: a `position`, `0` for all that the journal has; empty: now
     * @param {Policy} policy
     * @param {{ readsAll: boolean, renewsToken: boolean }} options begin with a snapshot where there is no position, and
     *   take another one where changes were missed; whether the client can get a new token
     */
    constructor(after: string, policy: Policy, { readsAll, renewsToken }: {
        readsAll: boolean;
        renewsToken: boolean;
    });
    /** Why there is nothing more; throw it when what came before was handed out. @type {HoldfastError | undefined} */
    ending: HoldfastError | undefined;
    /** The stream that is open is of no use any more. */
    brokeOff: boolean;
    position: string;
    policy: Policy;
    readsAll: boolean;
    renewsToken: boolean;
    /** Whether a page of the snapshot comes next. */
    get wantsPage(): boolean;
    /**
     * Return the request of the next page.
     *
     * @returns {Call<SnapshotPage>}
     */
    pageCall(): Call<SnapshotPage>;
    /**
     * Return the values of a page; after the last one the stream comes next.
     *
     * @param {SnapshotPage} page
     * @returns {Change[]}
     */
    takePage(page: SnapshotPage): Change[];
    /**
     * Begin the snapshot again where its place is too old.
     *
     * @param {Refused} refused
     */
    pageRefused(refused: Refused): void;
    /**
     * Note that a page could not be read, and is read again after a pause, unless there is no Holdfast at this address.
     *
     * @param {Unavailable} away
     */
    pageAway(away: Unavailable): void;
    /** Note that a stream is open. */
    beginStream(): void;
    /**
     * Return the request that opens the stream, or goes on with it.
     *
     * @returns {Call<Uint8Array>}
     */
    streamCall(): Call<Uint8Array>;
    /**
     * Look at what the server answered in place of a stream, and return why it is none.
     *
     * @param {Answer} answer
     * @returns {string}
     */
    takeAnswer(answer: Answer): string;
    /**
     * Return the changes that a piece of the stream completes.
     *
     * @param {Uint8Array} chunk
     * @returns {Change[]}
     */
    takeChunk(chunk: Uint8Array): Change[];
    /** Whether the stream is opened again after a pause. */
    get comesBack(): boolean;
    /** Return how long to wait before what failed is tried again: the stream, or a page. */
    pauseMs(): number;
    #private;
}
/**
 * The newest value of a SKU.
 *
 * `position`: keep it when this change is worked off, and a later stream with it as `after` misses nothing. It is empty
 * while a snapshot is read. `isSnapshot`: the value was read, and is no news.
 */
export type Change = {
    view: AvailabilityView;
    position: string;
    isSnapshot: boolean;
};
export type Event = {
    name: string;
    id: string;
    data: string;
};
import { HoldfastError } from "./errors.js";
import type { Policy } from "./decisions.js";
import type { SnapshotPage } from "../types/api/index.js";
import type { Call } from "./calls.js";
import type { Refused } from "./errors.js";
import type { Unavailable } from "./errors.js";
import type { Answer } from "./verdicts.js";
import type { AvailabilityView } from "../types/api/index.js";
