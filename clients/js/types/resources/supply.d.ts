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
    ship(body: ShipBody, options?: KeyedOptions): Promise<TransferView>;
    /**
     * Read a transfer. `GET /v1/transfers/{transfer_id}`.
     *
     * @param {string} transferId
     * @param {CallOptions} [options]
     * @returns {Promise<TransferView>}
     */
    read(transferId: string, options?: CallOptions): Promise<TransferView>;
    /**
     * Read a page of the transfers that are open. `GET /v1/transfers`.
     *
     * @param {TransfersReadManyQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<TransferPageView>}
     */
    readMany(query?: TransfersReadManyQuery, options?: CallOptions): Promise<TransferPageView>;
    /**
     * Receive what has arrived: all, or the named lines. `POST …/receive`.
     *
     * @param {string} transferId
     * @param {ArriveBody} [body]
     * @param {KeyedOptions} [options]
     * @returns {Promise<TransferView>}
     */
    receive(transferId: string, body?: ArriveBody, options?: KeyedOptions): Promise<TransferView>;
    /**
     * Cancel a transfer of which nothing has arrived. `POST …/cancel`.
     *
     * @param {string} transferId
     * @param {CancelTransferBody} [body]
     * @param {KeyedOptions} [options]
     * @returns {Promise<TransferView>}
     */
    cancel(transferId: string, body?: CancelTransferBody, options?: KeyedOptions): Promise<TransferView>;
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
    put(supplyId: string, body: ExpectedReceiptBody, options?: KeyedOptions): Promise<ExpectedReceiptView>;
    /**
     * Read an expected receipt. `GET /v1/supply/{supply_id}`.
     *
     * @param {string} supplyId
     * @param {CallOptions} [options]
     * @returns {Promise<ExpectedReceiptView>}
     */
    read(supplyId: string, options?: CallOptions): Promise<ExpectedReceiptView>;
    /**
     * Read a page of what is to come. `GET /v1/supply`.
     *
     * @param {SupplyReadManyQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<ExpectedReceiptList>}
     */
    readMany(query?: SupplyReadManyQuery, options?: CallOptions): Promise<ExpectedReceiptList>;
    /**
     * Delete an expected receipt that will not come. `DELETE /v1/supply/{supply_id}`.
     *
     * @param {string} supplyId
     * @param {KeyedOptions} [options]
     * @returns {Promise<ExpectedReceiptView>}
     */
    delete(supplyId: string, options?: KeyedOptions): Promise<ExpectedReceiptView>;
}
import { Resource } from "../resource.js";
import type { ShipBody } from "../../types/api/index.js";
import type { KeyedOptions } from "../calls.js";
import type { TransferView } from "../../types/api/index.js";
import type { CallOptions } from "../calls.js";
import type { TransfersReadManyQuery } from "../../types/api/index.js";
import type { TransferPageView } from "../../types/api/index.js";
import type { ArriveBody } from "../../types/api/index.js";
import type { CancelTransferBody } from "../../types/api/index.js";
import type { ExpectedReceiptBody } from "../../types/api/index.js";
import type { ExpectedReceiptView } from "../../types/api/index.js";
import type { SupplyReadManyQuery } from "../../types/api/index.js";
import type { ExpectedReceiptList } from "../../types/api/index.js";
