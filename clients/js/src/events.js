// The stream of changes without a network: its lines become changes, and its end becomes what to do next.

import { callOf, read } from "./calls.js";
import { pauseAfter } from "./decisions.js";
import { HoldfastError, NOT_HOLDFAST, refusal } from "./errors.js";
import { judge } from "./verdicts.js";

/** @import { Call } from "./calls.js" */
/** @import { Policy } from "./decisions.js" */
/** @import { Refused, Unavailable } from "./errors.js" */
/** @import { Answer } from "./verdicts.js" */
/** @import { AvailabilityView, SnapshotPage } from "../types/api/index.js" */

/** The server sends something every 15 s at least; what is silent for so long is gone. */
export const SILENCE_MAX_MS = 45_000;
/** The value of a SKU at thousands of locations has less. */
const EVENT_CHARACTERS_MAX = 8_000_000;
/** A stream that stays away longer shows old stock, whatever it is asked for. */
const PAUSE_MAX_MS = 300_000;

/**
 * The stream cannot go on from where it was: changes were missed.
 *
 * Read everything with `availability.snapshot` and open the stream with its `changes_after` as `after`.
 * `changes.follow` does both.
 */
export class SnapshotNeeded extends HoldfastError {
  /** @param {string} reason */
  constructor(reason) {
    super(
      `The stream cannot go on from where it was: ${reason}. Read everything with availability.snapshot, and open the` +
        " stream with its changes_after as after.",
    );
    this.reason = reason;
  }
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
  constructor(reason, detail) {
    super(`${reason}: ${detail}`);
    this.reason = reason;
  }
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
  retryMs = 1_000;
  /** How long the event is that has no end yet. */
  characters = 0;
  #decoder = new TextDecoder();
  /** @type {string[]} */
  #rest = []; // pieces, since a long line comes in many
  /** @type {Event} */
  #event = { name: "", id: "", data: "" };

  /**
   * Return each event that is whole by now; one with an id alone is an event, too.
   *
   * @param {Uint8Array} chunk
   * @returns {Event[]}
   */
  feed(chunk) {
    const ends = this.#decoder.decode(chunk, { stream: true }).split("\n");
    const rest = ends.pop() ?? "";
    /** @type {Event[]} */
    const events = [];
    for (const end of ends) {
      const line = [...this.#rest, end].join("").replace(/\r$/, "");
      this.#rest = [];
      this.characters += end.length;
      if (line) {
        this.#take(line);
        continue;
      }
      if (this.#event.data || this.#event.id) events.push(this.#event);
      this.#event = { name: "", id: "", data: "" };
      this.characters = 0;
    }
    if (rest) this.#rest.push(rest);
    this.characters += rest.length;
    return events;
  }

  /** @param {string} line */
  #take(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.#event.name = value;
    else if (name === "id") this.#event.id = value;
    else if (name === "data") this.#event.data += (this.#event.data && "\n") + value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retryMs = Number(value);
  }
}

/** Where a stream is, and what to do next: read a page of the snapshot, open the stream, or end. */
export class Following {
  /** Why there is nothing more; throw it when what came before was handed out. @type {HoldfastError | undefined} */
  ending = undefined;
  /** The stream that is open is of no use any more. */
  brokeOff = false;
  #lines = new Lines();
  #page = "";
  /** @type {string | undefined} */
  #unreadableAt = undefined;
  #failures = 0;
  #askedMs = 0;

  /**
   * @param {string} after where to begin: a `position`, `0` for all that the journal has; empty: now
   * @param {Policy} policy
   * @param {{ readsAll: boolean, renewsToken: boolean }} options begin with a snapshot where there is no position, and
   *   take another one where changes were missed; whether the client can get a new token
   */
  constructor(after, policy, { readsAll, renewsToken }) {
    this.position = after;
    this.policy = policy;
    this.readsAll = readsAll;
    this.renewsToken = renewsToken;
  }

  /** Whether a page of the snapshot comes next. */
  get wantsPage() {
    return this.readsAll && !this.position;
  }

  /**
   * Return the request of the next page.
   *
   * @returns {Call<SnapshotPage>}
   */
  pageCall() {
    return read("/v1/snapshot", { after: this.#page || undefined });
  }

  /**
   * Return the values of a page; after the last one the stream comes next.
   *
   * @param {SnapshotPage} page
   * @returns {Change[]}
   */
  takePage(page) {
    this.#page = page.next;
    this.#failures = 0;
    if (!page.next) this.position = page.changes_after;
    return page.availability.map((view) => ({ view, position: "", isSnapshot: true }));
  }

  /**
   * Begin the snapshot again where its place is too old.
   *
   * @param {Refused} refused
   */
  pageRefused(refused) {
    if (!this.#page) throw refused;
    this.#page = "";
  }

  /**
   * Note that a page could not be read, and is read again after a pause, unless there is no Holdfast at this address.
   *
   * @param {Unavailable} away
   */
  pageAway(away) {
    if (away.outcome === NOT_HOLDFAST) throw away;
    this.#askedMs = away.retryAfterS * 1_000;
  }

  /** Note that a stream is open. */
  beginStream() {
    this.#lines = new Lines();
    this.brokeOff = false;
  }

  /**
   * Return the request that opens the stream, or goes on with it.
   *
   * @returns {Call<Uint8Array>}
   */
  streamCall() {
    const path = "/v1/changes" + (this.position ? `?after=${encodeURIComponent(this.position)}` : "");
    return callOf({ method: "GET", path, repeat: "reads", raw: true, headers: { Accept: "text/event-stream" } });
  }

  /**
   * Look at what the server answered in place of a stream, and return why it is none.
   *
   * @param {Answer} answer
   * @returns {string}
   */
  takeAnswer(answer) {
    const verdict = judge(this.streamCall(), answer);
    if (verdict.kind === "refused") throw refusal(verdict.problem);
    if (verdict.kind === "done") return "an answer, and no stream";
    this.#askedMs = verdict.retryAfterMs;
    return verdict.why;
  }

  /**
   * Return the changes that a piece of the stream completes.
   *
   * @param {Uint8Array} chunk
   * @returns {Change[]}
   */
  takeChunk(chunk) {
    /** @type {Change[]} */
    const changes = [];
    try {
      for (const event of this.#lines.feed(chunk)) {
        changes.push(...this.#take(event));
        this.#failures = 0;
        if (this.brokeOff) return changes;
      }
      if (this.#lines.characters > EVENT_CHARACTERS_MAX) throw new Error("an event has no end");
    } catch (error) {
      this.#unreadable(`${error}`);
    }
    return changes;
  }

  /**
   * Return the change that an event tells of, if it is one. The position moves only with what could be read.
   *
   * @param {Event} event
   * @returns {Change[]}
   */
  #take(event) {
    const data = event.data && event.name ? JSON.parse(event.data) : undefined;
    if (event.name === "reset") this.#reset(data.reason);
    else if (event.name === "closed") this.#closed(data);
    else {
      this.position = event.id || this.position;
      if (event.name === "availability") return [{ view: data, position: this.position, isSnapshot: false }];
    }
    return [];
  }

  /**
   * Go on from where it was; what is unreadable there twice ends the stream.
   *
   * @param {string} why
   */
  #unreadable(why) {
    this.brokeOff = true;
    if (this.#unreadableAt === this.position) this.ending = new StreamClosed("unreadable", why);
    this.#unreadableAt = this.position;
  }

  /** @param {string} reason */
  #reset(reason) {
    this.brokeOff = true;
    if (this.readsAll) this.position = this.#page = "";
    else this.ending = new SnapshotNeeded(reason);
  }

  /** @param {{ reason: string, detail: string, retryable: boolean }} said */
  #closed({ reason, detail, retryable }) {
    this.brokeOff = true;
    const isOver = reason === "token_expired" ? !this.renewsToken : !retryable;
    if (reason === "partition_changed") this.#reset(detail);
    else if (isOver) this.ending = new StreamClosed(reason, detail);
  }

  /** Whether the stream is opened again after a pause. */
  get comesBack() {
    return this.ending === undefined && !this.wantsPage;
  }

  /** Return how long to wait before what failed is tried again: the stream, or a page. */
  pauseMs() {
    this.#failures += 1;
    const askedMs = Math.max(this.#lines.retryMs, this.#askedMs);
    this.#askedMs = 0;
    return Math.min(PAUSE_MAX_MS, pauseAfter(this.policy, this.#failures, askedMs));
  }
}
