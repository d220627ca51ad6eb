// The stream of changes: it goes on where it was after every break, until it is closed.

import { HoldfastError, Refused, Unavailable } from "./errors.js";
import { Following, SILENCE_MAX_MS } from "./events.js";
import { bodyOf, lost, pause } from "./transport.js";

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
  #transport;

  /** @param {Transport} transport */
  constructor(transport) {
    this.#transport = transport;
  }

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
  stream(options) {
    return this.#run(options, false);
  }

  /**
   * Read everything that is available, then follow every change, and do so again where changes were missed.
   *
   * With `after` it goes on from there, and reads everything only if it must. A browser's token may not read everything:
   * a page opens `stream`, and reads what it shows whenever that is open.
   *
   * @param {StreamOptions} [options]
   * @returns {AsyncGenerator<Change, void, undefined>}
   */
  follow(options) {
    return this.#run(options, true);
  }

  /**
   * @param {StreamOptions | undefined} options
   * @param {boolean} readsAll
   * @returns {AsyncGenerator<Change, void, undefined>}
   */
  async *#run(options, readsAll) {
    const transport = this.#transport;
    const renewsToken = typeof transport.key === "function";
    const following = new Following(options?.after ?? "", transport.policy, { readsAll, renewsToken });
    const signal = options?.signal;
    while (!signal?.aborted) {
      if (following.wantsPage) {
        yield* await this.#page(following, signal);
        continue;
      }
      yield* this.#once(following, options ?? {});
      if (following.ending) throw following.ending;
      if (following.comesBack) await pause(following.pauseMs(), signal);
    }
  }

  /**
   * @param {Following} following
   * @param {AbortSignal | undefined} signal
   * @returns {Promise<Change[]>}
   */
  async #page(following, signal) {
    try {
      return following.takePage(await this.#transport.run(following.pageCall(), { signal }));
    } catch (error) {
      if (signal?.aborted) return [];
      if (error instanceof Refused) following.pageRefused(error);
      else if (!(error instanceof Unavailable)) throw error;
      else {
        following.pageAway(error);
        await pause(following.pauseMs(), signal);
      }
      return [];
    }
  }

  /**
   * Open the stream once, and yield what comes until it breaks off.
   *
   * @param {Following} following
   * @param {StreamOptions} options
   * @returns {AsyncGenerator<Change, void, undefined>}
   */
  async *#once(following, { signal, onState = () => {} }) {
    const transport = this.#transport;
    const ending = new AbortController();
    const end = () => ending.abort(signal?.reason);
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let silence;
    const wake = () => {
      clearTimeout(silence);
      silence = setTimeout(() => ending.abort(new Error("the stream was silent")), SILENCE_MAX_MS);
    };
    signal?.addEventListener("abort", end, { once: true });
    const beganMs = performance.now();
    let why = "the stream ended";
    let isOpen = false;
    let isTelling = false; // what onState throws is the caller's own error, and breaks no stream
    wake();
    try {
      const call = following.streamCall();
      const response = await transport.fetch(transport.url + call.path, await transport.request(call, ending.signal));
      const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
      if (response.status !== 200 || !isStream || response.body === null) {
        const body = await bodyOf(response);
        why = following.takeAnswer({ status: response.status, headers: response.headers, body });
        return;
      }
      following.beginStream();
      const opened = { status: 200, headers: response.headers, body: new Uint8Array() };
      transport.note(call, opened, performance.now() - beganMs);
      isOpen = true;
      isTelling = true;
      onState("open");
      isTelling = false;
      const reader = response.body.getReader();
      while (!following.brokeOff) {
        wake();
        const { done, value } = await reader.read();
        if (done) break;
        yield* following.takeChunk(value);
      }
    } catch (error) {
      if (isTelling || error instanceof HoldfastError) throw error;
      why = lost(ending.signal.aborted ? ending.signal.reason : error).why;
    } finally {
      clearTimeout(silence);
      signal?.removeEventListener("abort", end);
      ending.abort();
      if (isOpen) onState("broken");
      if (!signal?.aborted) transport.note(following.streamCall(), { why, sent: true }, performance.now() - beganMs);
    }
  }
}
