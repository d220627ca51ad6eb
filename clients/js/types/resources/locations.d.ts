/** @import { CallOptions } from "../calls.js" */
/**
 * @import {
 *   ExplainBody,
 *   ExplainView,
 *   LocationBody,
 *   LocationDeleted,
 *   LocationList,
 *   LocationRenamed,
 *   LocationView,
 *   LocationsReadManyQuery,
 *   RenameBody,
 * } from "../../types/api/index.js"
 */
/** Warehouses and stores. */
export class Locations extends Resource {
    /**
     * Register a location anew, open or closed. `PUT /v1/locations/{name}`.
     *
     * @param {string} name
     * @param {LocationBody} [body]
     * @param {CallOptions} [options]
     * @returns {Promise<LocationView>}
     */
    put(name: string, body?: LocationBody, options?: CallOptions): Promise<LocationView>;
    /**
     * Read a location. `GET /v1/locations/{name}`.
     *
     * @param {string} name
     * @param {CallOptions} [options]
     * @returns {Promise<LocationView>}
     */
    read(name: string, options?: CallOptions): Promise<LocationView>;
    /**
     * Read all locations; `unregistered`: those too at which something lies alone. `GET /v1/locations`.
     *
     * @param {LocationsReadManyQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<LocationList>}
     */
    readMany(query?: LocationsReadManyQuery, options?: CallOptions): Promise<LocationList>;
    /**
     * Give a location another name; the old one still works. `POST /v1/locations/{name}/rename`.
     *
     * @param {string} name
     * @param {RenameBody} body
     * @param {CallOptions} [options]
     * @returns {Promise<LocationRenamed>}
     */
    rename(name: string, body: RenameBody, options?: CallOptions): Promise<LocationRenamed>;
    /**
     * Delete a location at which nothing lies. `DELETE /v1/locations/{name}`.
     *
     * After a lost answer it may say that the location is not known, which is then the expected answer.
     *
     * @param {string} name
     * @param {CallOptions} [options]
     * @returns {Promise<LocationDeleted>}
     */
    delete(name: string, options?: CallOptions): Promise<LocationDeleted>;
}
/** Where orders are taken from. */
export class Sourcing extends Resource {
    /**
     * Read from where an order would be taken, and why; nothing is held. `POST /v1/sourcing/explain`.
     *
     * @param {ExplainBody} body
     * @param {CallOptions} [options]
     * @returns {Promise<ExplainView>}
     */
    explain(body: ExplainBody, options?: CallOptions): Promise<ExplainView>;
}
import { Resource } from "../resource.js";
import type { LocationBody } from "../../types/api/index.js";
import type { CallOptions } from "../calls.js";
import type { LocationView } from "../../types/api/index.js";
import type { LocationsReadManyQuery } from "../../types/api/index.js";
import type { LocationList } from "../../types/api/index.js";
import type { RenameBody } from "../../types/api/index.js";
import type { LocationRenamed } from "../../types/api/index.js";
import type { LocationDeleted } from "../../types/api/index.js";
import type { ExplainBody } from "../../types/api/index.js";
import type { ExplainView } from "../../types/api/index.js";
