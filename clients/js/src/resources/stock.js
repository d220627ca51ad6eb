// Stock: what lies where and why, counts and movements, allocations, backorders and barcodes.

import { LIST_MAX, put, resultsInOrder, sum } from "../batches.js";
import { at, keyed, queryOf, read, sets } from "../calls.js";
import { Resource } from "../resource.js";

/** @import { CallOptions, KeyedOptions } from "../calls.js" */
/**
 * @import {
 *   AllocatedView,
 *   AllocationBody,
 *   AllocationMoveBody,
 *   AllocationsDropQuery,
 *   BackorderBody,
 *   BackorderPage,
 *   BackorderSetView,
 *   BackordersReadQuery,
 *   BarcodeRemoved,
 *   BarcodeView,
 *   BarcodesBody,
 *   BarcodesPut,
 *   BarcodesReadOfSkuQuery,
 *   BarcodesRemoveQuery,
 *   CountBody,
 *   MovedView,
 *   MovementResult,
 *   MovementsBody,
 *   ParcelView,
 *   SkuBarcodes,
 *   SkuOnChannels,
 *   StockReadQuery,
 *   StockView,
 * } from "../../types/api/index.js"
 */

/** What lies where. */
export class Stock extends Resource {
  /**
   * Read every bucket of a SKU, who has it, and why the number is what it is. `GET /v1/stock/{sku}`.
   *
   * @param {string} sku
   * @param {StockReadQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<StockView>}
   */
  read(sku, query, options) {
    return this.run(read(at`/v1/stock/${sku}`, query), options);
  }

  /**
   * Read what each channel shows of a SKU, and why. `GET /v1/stock/{sku}/channels`.
   *
   * @param {string} sku
   * @param {CallOptions} [options]
   * @returns {Promise<SkuOnChannels>}
   */
  onChannels(sku, options) {
    return this.run(read(at`/v1/stock/${sku}/channels`), options);
  }

  /**
   * Record a count. `PUT /v1/stock/{sku}/{location}`.
   *
   * @param {string} sku
   * @param {string} location
   * @param {CountBody} body
   * @param {KeyedOptions} [options]
   * @returns {Promise<MovedView>}
   */
  count(sku, location, body, options) {
    return this.run(keyed("PUT", at`/v1/stock/${sku}/${location}`, body, options), options);
  }

  /**
   * Receive, adjust, count and move: one result for each, in order. `POST /v1/stock/movements`.
   *
   * More than one request can have are split. A refusal is a result here, and no exception.
   *
   * @param {MovementsBody} body
   * @param {KeyedOptions} [options]
   * @returns {Promise<MovementResult[]>}
   */
  moveMany(body, options) {
    return resultsInOrder(this.transport, "/v1/stock/movements", "movements", body.movements, LIST_MAX, options);
  }
}

/** Units of a channel's own, and caps on what a channel may take. */
export class Allocations extends Resource {
  /**
   * Set the allocation of a channel. `PUT /v1/stock/{sku}/{location}/allocations/{channel}`.
   *
   * @param {string} sku
   * @param {string} location
   * @param {string} channel
   * @param {AllocationBody} body
   * @param {KeyedOptions} [options]
   * @returns {Promise<AllocatedView>}
   */
  put(sku, location, channel, body, options) {
    return this.run(keyed("PUT", at`/v1/stock/${sku}/${location}/allocations/${channel}`, body, options), options);
  }

  /**
   * Delete the allocation of a channel. `DELETE /v1/stock/{sku}/{location}/allocations/{channel}`.
   *
   * @param {string} sku
   * @param {string} location
   * @param {string} channel
   * @param {AllocationsDropQuery} [query]
   * @param {KeyedOptions} [options]
   * @returns {Promise<AllocatedView>}
   */
  delete(sku, location, channel, query, options) {
    const path = at`/v1/stock/${sku}/${location}/allocations/${channel}` + queryOf(query);
    return this.run(keyed("DELETE", path, undefined, options), options);
  }

  /**
   * Move units of one channel's allocation to another's. `POST /v1/allocations/move`.
   *
   * @param {AllocationMoveBody} body
   * @param {KeyedOptions} [options]
   * @returns {Promise<AllocatedView>}
   */
  move(body, options) {
    return this.run(keyed("POST", "/v1/allocations/move", body, options), options);
  }
}

/** What may be sold before it is there, and which lines wait for it. */
export class Backorders extends Resource {
  /**
   * Set how many units may be sold before they are there. `PUT /v1/stock/{sku}/{location}/backorder`.
   *
   * @param {string} sku
   * @param {string} location
   * @param {BackorderBody} body
   * @param {KeyedOptions} [options]
   * @returns {Promise<BackorderSetView>}
   */
  put(sku, location, body, options) {
    return this.run(keyed("PUT", at`/v1/stock/${sku}/${location}/backorder`, body, options), options);
  }

  /**
   * Read a page of the lines that wait. `GET /v1/backorders`.
   *
   * @param {BackordersReadQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<BackorderPage>}
   */
  readMany(query, options) {
    return this.run(read("/v1/backorders", query), options);
  }
}

/** What a scanner reads, and what it stands for. */
export class Barcodes extends Resource {
  /**
   * Set what barcodes stand for; more than one request can have are split. `PUT /v1/barcodes`.
   *
   * @param {BarcodesBody} body
   * @param {CallOptions} [options]
   * @returns {Promise<BarcodesPut>}
   */
  async put(body, options) {
    const { barcodes, ...more } = body;
    /** @type {BarcodesPut[]} */
    const pages = await put(this.transport, "/v1/barcodes", "barcodes", barcodes, options, more);
    return { barcodes: sum(pages.map((page) => page.barcodes)) };
  }

  /**
   * Read what a barcode or a GS1 label stands for. `GET /v1/barcodes/{barcode}`.
   *
   * @param {string} barcode
   * @param {CallOptions} [options]
   * @returns {Promise<BarcodeView>}
   */
  read(barcode, options) {
    return this.run(read(at`/v1/barcodes/${barcode}`), options);
  }

  /**
   * Delete a barcode. `DELETE /v1/barcodes/{barcode}`.
   *
   * After a lost answer it may say that the barcode is not registered, which is then the expected answer.
   *
   * @param {string} barcode
   * @param {BarcodesRemoveQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<BarcodeRemoved>}
   */
  delete(barcode, query, options) {
    return this.run(sets("DELETE", at`/v1/barcodes/${barcode}` + queryOf(query)), options);
  }

  /**
   * Read a page of the barcodes of a SKU. `GET /v1/skus/{sku}/barcodes`.
   *
   * @param {string} sku
   * @param {BarcodesReadOfSkuQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<SkuBarcodes>}
   */
  readMany(sku, query, options) {
    return this.run(read(at`/v1/skus/${sku}/barcodes`, query), options);
  }

  /**
   * Read what was announced for a parcel. `GET /v1/parcels/{sscc}`.
   *
   * @param {string} sscc
   * @param {CallOptions} [options]
   * @returns {Promise<ParcelView>}
   */
  readParcel(sscc, options) {
    return this.run(read(at`/v1/parcels/${sscc}`), options);
  }
}
