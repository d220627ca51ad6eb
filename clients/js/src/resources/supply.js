// What is on its way: transfers between locations, and what suppliers are to deliver.

import { atId, keyed, read } from "../calls.js";
import { Resource } from "../resource.js";

/** @import { CallOptions, KeyedOptions } from "../calls.js" */
/**
 * @import {
 *   ArriveBody,
 *   CancelTransferBody,
 *   ExpectedReceiptBody,
 *   ExpectedReceiptList,
 *   ExpectedReceiptView,
 *   ShipBody,
 *   SupplyReadManyQuery,
 *   TransferPageView,
 *   TransferView,
 *   TransfersReadManyQuery,
 * } from "../../types/api/index.js"
 */

/** Units that leave one location and arrive at another. */
export class Transfers extends Resource {
  /**
   * Send units on their way. `POST /v1/transfers`.
   *
   * @param {ShipBody} body
   * @param {KeyedOptions} [options]
   * @returns {Promise<TransferView>}
   */
  ship(body, options) {
    return this.run(keyed("POST", "/v1/transfers", body, options), options);
  }

  /**
   * Read a transfer. `GET /v1/transfers/{transfer_id}`.
   *
   * @param {string} transferId
   * @param {CallOptions} [options]
   * @returns {Promise<TransferView>}
   */
  read(transferId, options) {
    return this.run(read(atId`/v1/transfers/${transferId}`), options);
  }

  /**
   * Read a page of the transfers that are open. `GET /v1/transfers`.
   *
   * @param {TransfersReadManyQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<TransferPageView>}
   */
  readMany(query, options) {
    return this.run(read("/v1/transfers", query), options);
  }

  /**
   * Receive what has arrived: all, or the named lines. `POST …/receive`.
   *
   * @param {string} transferId
   * @param {ArriveBody} [body]
   * @param {KeyedOptions} [options]
   * @returns {Promise<TransferView>}
   */
  receive(transferId, body = {}, options) {
    return this.run(keyed("POST", atId`/v1/transfers/${transferId}/receive`, body, options), options);
  }

  /**
   * Cancel a transfer of which nothing has arrived. `POST …/cancel`.
   *
   * @param {string} transferId
   * @param {CancelTransferBody} [body]
   * @param {KeyedOptions} [options]
   * @returns {Promise<TransferView>}
   */
  cancel(transferId, body = {}, options) {
    return this.run(keyed("POST", atId`/v1/transfers/${transferId}/cancel`, body, options), options);
  }
}

/** What suppliers are to deliver. */
export class Supply extends Resource {
  /**
   * Set what is expected, and when. `PUT /v1/supply/{supply_id}`.
   *
   * @param {string} supplyId
   * @param {ExpectedReceiptBody} body
   * @param {KeyedOptions} [options]
   * @returns {Promise<ExpectedReceiptView>}
   */
  put(supplyId, body, options) {
    return this.run(keyed("PUT", atId`/v1/supply/${supplyId}`, body, options), options);
  }

  /**
   * Read an expected receipt. `GET /v1/supply/{supply_id}`.
   *
   * @param {string} supplyId
   * @param {CallOptions} [options]
   * @returns {Promise<ExpectedReceiptView>}
   */
  read(supplyId, options) {
    return this.run(read(atId`/v1/supply/${supplyId}`), options);
  }

  /**
   * Read a page of what is to come. `GET /v1/supply`.
   *
   * @param {SupplyReadManyQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<ExpectedReceiptList>}
   */
  readMany(query, options) {
    return this.run(read("/v1/supply", query), options);
  }

  /**
   * Delete an expected receipt that will not come. `DELETE /v1/supply/{supply_id}`.
   *
   * @param {string} supplyId
   * @param {KeyedOptions} [options]
   * @returns {Promise<ExpectedReceiptView>}
   */
  delete(supplyId, options) {
    return this.run(keyed("DELETE", atId`/v1/supply/${supplyId}`, undefined, options), options);
  }
}
