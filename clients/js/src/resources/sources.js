// ERPs that own the stock, and feeds: what of their numbers waits for a person.

import { adds, at, read, sets } from "../calls.js";
import { Resource } from "../resource.js";

/** @import { CallOptions } from "../calls.js" */
/**
 * @import {
 *   DecisionBody,
 *   SourceAsked,
 *   SourceList,
 *   SourcesReadWaitingQuery,
 *   WaitingList,
 * } from "../../types/api/index.js"
 */

/** Where numbers come from. */
export class Sources extends Resource {
  /**
   * Read all sources, and how they stand. `GET /v1/sources`.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<SourceList>}
   */
  readMany(options) {
    return this.run(read("/v1/sources"), options);
  }

  /**
   * Read the numbers that wait for a person. `GET /v1/sources/{source}/waiting`.
   *
   * @param {string} source
   * @param {SourcesReadWaitingQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<WaitingList>}
   */
  readWaiting(source, query, options) {
    return this.run(read(at`/v1/sources/${source}/waiting`, query), options);
  }

  /**
   * Confirm numbers that wait, or refuse them: those at `places`, or all. `POST …/decisions`.
   *
   * It is not sent again after a lost answer: it would decide about numbers that came since, which nobody has seen.
   *
   * @param {string} source
   * @param {DecisionBody} body
   * @param {CallOptions} [options]
   * @returns {Promise<SourceAsked>}
   */
  decide(source, body, options) {
    const findOut = "read the waiting numbers; one with your decision, or one that is gone, was decided";
    return this.run(adds("POST", at`/v1/sources/${source}/decisions`, body, findOut), options);
  }

  /**
   * Have a source read now. `POST /v1/sources/{source}/pull`.
   *
   * @param {string} source
   * @param {CallOptions} [options]
   * @returns {Promise<SourceAsked>}
   */
  pull(source, options) {
    return this.run(sets("POST", at`/v1/sources/${source}/pull`), options);
  }
}
