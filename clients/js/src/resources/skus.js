// SKUs: found, put into categories, renamed and deleted.

import { put } from "../batches.js";
import { at, read, sets } from "../calls.js";
import { Resource } from "../resource.js";

/** @import { CallOptions } from "../calls.js" */
/**
 * @import {
 *   DeletedView,
 *   FindingReadSkusQuery,
 *   RenameBody,
 *   RenamedView,
 *   SkuBody,
 *   SkuList,
 *   SkuView,
 *   SkusBody,
 *   SkusPage,
 * } from "../../types/api/index.js"
 */

/** What is sold. */
export class Skus extends Resource {
  /**
   * Read a page of the SKUs that match. `GET /v1/skus`.
   *
   * @param {FindingReadSkusQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<SkusPage>}
   */
  readMany(query, options) {
    return this.run(read("/v1/skus", query), options);
  }

  /**
   * Read what a SKU is. `GET /v1/skus/{sku}`.
   *
   * @param {string} sku
   * @param {CallOptions} [options]
   * @returns {Promise<SkuView>}
   */
  read(sku, options) {
    return this.run(read(at`/v1/skus/${sku}`), options);
  }

  /**
   * Put a SKU into a category (None: none), and say whether it has stock. `PUT /v1/skus/{sku}`.
   *
   * @param {string} sku
   * @param {SkuBody} [body]
   * @param {CallOptions} [options]
   * @returns {Promise<SkuView>}
   */
  put(sku, body = {}, options) {
    return this.run(sets("PUT", at`/v1/skus/${sku}`, body), options);
  }

  /**
   * Put SKUs into categories; more than one request can have are split. `PUT /v1/skus`.
   *
   * @param {SkusBody} body
   * @param {CallOptions} [options]
   * @returns {Promise<SkuList>}
   */
  async putMany(body, options) {
    /** @type {SkuList[]} */
    const pages = await put(this.transport, "/v1/skus", "skus", body.skus, options);
    return { skus: pages.flatMap((page) => page.skus) };
  }

  /**
   * Give a SKU another name; the old one still works. `POST /v1/skus/{sku}/rename`.
   *
   * @param {string} sku
   * @param {RenameBody} body
   * @param {CallOptions} [options]
   * @returns {Promise<RenamedView>}
   */
  rename(sku, body, options) {
    return this.run(sets("POST", at`/v1/skus/${sku}/rename`, body), options);
  }

  /**
   * Delete a SKU that has no units. `DELETE /v1/skus/{sku}`.
   *
   * After a lost answer it may say that the SKU is not known, which is then the expected answer.
   *
   * @param {string} sku
   * @param {CallOptions} [options]
   * @returns {Promise<DeletedView>}
   */
  delete(sku, options) {
    return this.run(sets("DELETE", at`/v1/skus/${sku}`), options);
  }
}
