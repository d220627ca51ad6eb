// Locations, and from which of them an order would be taken.

import { at, read, readByPost, sets } from "../calls.js";
import { Resource } from "../resource.js";

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
  put(name, body = {}, options) {
    return this.run(sets("PUT", at`/v1/locations/${name}`, body), options);
  }

  /**
   * Read a location. `GET /v1/locations/{name}`.
   *
   * @param {string} name
   * @param {CallOptions} [options]
   * @returns {Promise<LocationView>}
   */
  read(name, options) {
    return this.run(read(at`/v1/locations/${name}`), options);
  }

  /**
   * Read all locations; `unregistered`: those too at which something lies alone. `GET /v1/locations`.
   *
   * @param {LocationsReadManyQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<LocationList>}
   */
  readMany(query, options) {
    return this.run(read("/v1/locations", query), options);
  }

  /**
   * Give a location another name; the old one still works. `POST /v1/locations/{name}/rename`.
   *
   * @param {string} name
   * @param {RenameBody} body
   * @param {CallOptions} [options]
   * @returns {Promise<LocationRenamed>}
   */
  rename(name, body, options) {
    return this.run(sets("POST", at`/v1/locations/${name}/rename`, body), options);
  }

  /**
   * Delete a location at which nothing lies. `DELETE /v1/locations/{name}`.
   *
   * After a lost answer it may say that the location is not known, which is then the expected answer.
   *
   * @param {string} name
   * @param {CallOptions} [options]
   * @returns {Promise<LocationDeleted>}
   */
  delete(name, options) {
    return this.run(sets("DELETE", at`/v1/locations/${name}`), options);
  }
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
  explain(body, options) {
    return this.run(readByPost("/v1/sourcing/explain", body), options);
  }
}
