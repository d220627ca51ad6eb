/** @import { Call, CallOptions } from "../calls.js" */
/**
 * @import {
 *   AtpReadQuery,
 *   AtpView,
 *   AvailabilityList,
 *   AvailabilityQueryBody,
 *   AvailabilityReadAllQuery,
 *   AvailabilityReadPiecesQuery,
 *   AvailabilityReadQuery,
 *   AvailabilityView,
 *   BrowserTokenBody,
 *   BrowserTokenView,
 *   NearbyReadQuery,
 *   NearbyView,
 *   PiecesAvailability,
 *   SnapshotPage,
 * } from "../../types/api/index.js"
 */
/** What can still be reserved. */
export class Availability extends Resource {
    /**
     * Read one SKU. `GET /v1/availability/{sku}`.
     *
     * @param {string} sku
     * @param {AvailabilityReadQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<AvailabilityView>}
     */
    read(sku: string, query?: AvailabilityReadQuery, options?: CallOptions): Promise<AvailabilityView>;
    /**
     * Read how many pieces there are of what a channel lists under a key, or a barcode stands for.
     *
     * `GET /v1/availability`.
     *
     * @param {AvailabilityReadPiecesQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<PiecesAvailability>}
     */
    readPieces(query?: AvailabilityReadPiecesQuery, options?: CallOptions): Promise<PiecesAvailability>;
    /**
     * Read many SKUs, in order; more than one request can have are split. `POST /v1/availability/query`.
     *
     * `keys`: what the channel lists under them, beside `skus` or in their place.
     *
     * @param {AvailabilityQueryBody} [body]
     * @param {CallOptions} [options]
     * @returns {Promise<AvailabilityList>}
     */
    readMany(body?: AvailabilityQueryBody, options?: CallOptions): Promise<AvailabilityList>;
    /**
     * Read a page of all SKUs; `changes_after` is where the stream goes on. `GET /v1/snapshot`.
     *
     * @param {AvailabilityReadAllQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<SnapshotPage>}
     */
    snapshot(query?: AvailabilityReadAllQuery, options?: CallOptions): Promise<SnapshotPage>;
    /**
     * Read which locations have a SKU, the nearest first. `GET /v1/availability/{sku}/nearby`.
     *
     * @param {string} sku
     * @param {NearbyReadQuery} query
     * @param {CallOptions} [options]
     * @returns {Promise<NearbyView>}
     */
    nearby(sku: string, query: NearbyReadQuery, options?: CallOptions): Promise<NearbyView>;
    /**
     * Read what can be promised by day, with what is expected. `GET /v1/atp/{sku}`.
     *
     * @param {string} sku
     * @param {AtpReadQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<AtpView>}
     */
    byDay(sku: string, query?: AtpReadQuery, options?: CallOptions): Promise<AtpView>;
}
/** What a web page has in place of a key. */
export class BrowserTokens extends Resource {
    /**
     * Create a token that reads availability and changes for some minutes. `POST /v1/browser-tokens`.
     *
     * @param {BrowserTokenBody} [body]
     * @param {CallOptions} [options]
     * @returns {Promise<BrowserTokenView>}
     */
    create(body?: BrowserTokenBody, options?: CallOptions): Promise<BrowserTokenView>;
}
import { Resource } from "../resource.js";
import type { AvailabilityReadQuery } from "../../types/api/index.js";
import type { CallOptions } from "../calls.js";
import type { AvailabilityView } from "../../types/api/index.js";
import type { AvailabilityReadPiecesQuery } from "../../types/api/index.js";
import type { PiecesAvailability } from "../../types/api/index.js";
import type { AvailabilityQueryBody } from "../../types/api/index.js";
import type { AvailabilityList } from "../../types/api/index.js";
import type { AvailabilityReadAllQuery } from "../../types/api/index.js";
import type { SnapshotPage } from "../../types/api/index.js";
import type { NearbyReadQuery } from "../../types/api/index.js";
import type { NearbyView } from "../../types/api/index.js";
import type { AtpReadQuery } from "../../types/api/index.js";
import type { AtpView } from "../../types/api/index.js";
import type { BrowserTokenBody } from "../../types/api/index.js";
import type { BrowserTokenView } from "../../types/api/index.js";
