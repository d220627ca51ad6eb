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
    readMany(options?: CallOptions): Promise<SourceList>;
    /**
     * Read the numbers that wait for a person. `GET /v1/sources/{source}/waiting`.
     *
     * @param {string} source
     * @param {SourcesReadWaitingQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<WaitingList>}
     */
    readWaiting(source: string, query?: SourcesReadWaitingQuery, options?: CallOptions): Promise<WaitingList>;
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
    decide(source: string, body: DecisionBody, options?: CallOptions): Promise<SourceAsked>;
    /**
     * Have a source read now. `POST /v1/sources/{source}/pull`.
     *
     * @param {string} source
     * @param {CallOptions} [options]
     * @returns {Promise<SourceAsked>}
     */
    pull(source: string, options?: CallOptions): Promise<SourceAsked>;
}
import { Resource } from "../resource.js";
import type { CallOptions } from "../calls.js";
import type { SourceList } from "../../types/api/index.js";
import type { SourcesReadWaitingQuery } from "../../types/api/index.js";
import type { WaitingList } from "../../types/api/index.js";
import type { DecisionBody } from "../../types/api/index.js";
import type { SourceAsked } from "../../types/api/index.js";
