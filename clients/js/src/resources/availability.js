// What can still be reserved: of one SKU, of many, of all, near a place, by day; and tokens for web pages.

import { LIST_MAX, pagesInOrder } from "../batches.js";
import { at, read, readByPost, sets } from "../calls.js";
import { Resource } from "../resource.js";

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
  read(sku, query, options) {
    return this.run(read(at`/v1/availability/${sku}`, query), options);
  }

  /**
   * Read how many pieces there are of what a channel lists under a key, or a barcode stands for.
   *
   * `GET /v1/availability`.
   *
   * @param {AvailabilityReadPiecesQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<PiecesAvailability>}
   */
  readPieces(query, options) {
    return this.run(read("/v1/availability", query), options);
  }

  /**
   * Read many SKUs, in order; more than one request can have are split. `POST /v1/availability/query`.
   *
   * `keys`: what the channel lists under them, beside `skus` or in their place.
   *
   * @param {AvailabilityQueryBody} [body]
   * @param {CallOptions} [options]
   * @returns {Promise<AvailabilityList>}
   */
  async readMany(body = {}, options) {
    const { skus = [], keys = [], ...common } = body;
    const isOne = skus.length <= LIST_MAX && keys.length <= LIST_MAX;
    const lists = isOne ? [body] : [...parts(skus, "skus"), ...parts(keys, "keys")];
    /** @type {Call<AvailabilityList>[]} */
    const calls = lists.map((each) => readByPost("/v1/availability/query", { ...common, ...each }));
    const pages = await pagesInOrder(this.transport, calls, options);
    return {
      availability: pages.flatMap((page) => page.availability),
      unknown: [...new Set(pages.flatMap((page) => page.unknown))],
      keys: pages.flatMap((page) => page.keys ?? []),
      unknown_keys: [...new Set(pages.flatMap((page) => page.unknown_keys ?? []))],
    };
  }

  /**
   * Read a page of all SKUs; `changes_after` is where the stream goes on. `GET /v1/snapshot`.
   *
   * @param {AvailabilityReadAllQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<SnapshotPage>}
   */
  snapshot(query, options) {
    return this.run(read("/v1/snapshot", query), options);
  }

  /**
   * Read which locations have a SKU, the nearest first. `GET /v1/availability/{sku}/nearby`.
   *
   * @param {string} sku
   * @param {NearbyReadQuery} query
   * @param {CallOptions} [options]
   * @returns {Promise<NearbyView>}
   */
  nearby(sku, query, options) {
    return this.run(read(at`/v1/availability/${sku}/nearby`, query), options);
  }

  /**
   * Read what can be promised by day, with what is expected. `GET /v1/atp/{sku}`.
   *
   * @param {string} sku
   * @param {AtpReadQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<AtpView>}
   */
  byDay(sku, query, options) {
    return this.run(read(at`/v1/atp/${sku}`, query), options);
  }
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
  create(body = {}, options) {
    return this.run(sets("POST", "/v1/browser-tokens", body), options);
  }
}

/**
 * @param {readonly string[]} names
 * @param {"skus" | "keys"} field
 * @returns {AvailabilityQueryBody[]}
 */
function parts(names, field) {
  return Array.from({ length: Math.ceil(names.length / LIST_MAX) }, (_, at) => ({
    [field]: names.slice(at * LIST_MAX, (at + 1) * LIST_MAX),
  }));
}
