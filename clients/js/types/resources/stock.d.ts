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
    read(sku: string, query?: StockReadQuery, options?: CallOptions): Promise<StockView>;
    /**
     * Read what each channel shows of a SKU, and why. `GET /v1/stock/{sku}/channels`.
     *
     * @param {string} sku
     * @param {CallOptions} [options]
     * @returns {Promise<SkuOnChannels>}
     */
    onChannels(sku: string, options?: CallOptions): Promise<SkuOnChannels>;
    /**
     * Record a count. `PUT /v1/stock/{sku}/{location}`.
     *
     * @param {string} sku
     * @param {string} location
     * @param {CountBody} body
     * @param {KeyedOptions} [options]
     * @returns {Promise<MovedView>}
     */
    count(sku: string, location: string, body: CountBody, options?: KeyedOptions): Promise<MovedView>;
    /**
     * Receive, adjust, count and move: one result for each, in order. `POST /v1/stock/movements`.
     *
     * More than one request can have are split. A refusal is a result here, and no exception.
     *
     * @param {MovementsBody} body
     * @param {KeyedOptions} [options]
     * @returns {Promise<MovementResult[]>}
     */
    moveMany(body: MovementsBody, options?: KeyedOptions): Promise<MovementResult[]>;
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
    put(sku: string, location: string, channel: string, body: AllocationBody, options?: KeyedOptions): Promise<AllocatedView>;
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
    delete(sku: string, location: string, channel: string, query?: AllocationsDropQuery, options?: KeyedOptions): Promise<AllocatedView>;
    /**
     * Move units of one channel's allocation to another's. `POST /v1/allocations/move`.
     *
     * @param {AllocationMoveBody} body
     * @param {KeyedOptions} [options]
     * @returns {Promise<AllocatedView>}
     */
    move(body: AllocationMoveBody, options?: KeyedOptions): Promise<AllocatedView>;
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
    put(sku: string, location: string, body: BackorderBody, options?: KeyedOptions): Promise<BackorderSetView>;
    /**
     * Read a page of the lines that wait. `GET /v1/backorders`.
     *
     * @param {BackordersReadQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<BackorderPage>}
     */
    readMany(query?: BackordersReadQuery, options?: CallOptions): Promise<BackorderPage>;
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
    put(body: BarcodesBody, options?: CallOptions): Promise<BarcodesPut>;
    /**
     * Read what a barcode or a GS1 label stands for. `GET /v1/barcodes/{barcode}`.
     *
     * @param {string} barcode
     * @param {CallOptions} [options]
     * @returns {Promise<BarcodeView>}
     */
    read(barcode: string, options?: CallOptions): Promise<BarcodeView>;
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
    delete(barcode: string, query?: BarcodesRemoveQuery, options?: CallOptions): Promise<BarcodeRemoved>;
    /**
     * Read a page of the barcodes of a SKU. `GET /v1/skus/{sku}/barcodes`.
     *
     * @param {string} sku
     * @param {BarcodesReadOfSkuQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<SkuBarcodes>}
     */
    readMany(sku: string, query?: BarcodesReadOfSkuQuery, options?: CallOptions): Promise<SkuBarcodes>;
    /**
     * Read what was announced for a parcel. `GET /v1/parcels/{sscc}`.
     *
     * @param {string} sscc
     * @param {CallOptions} [options]
     * @returns {Promise<ParcelView>}
     */
    readParcel(sscc: string, options?: CallOptions): Promise<ParcelView>;
}
import { Resource } from "../resource.js";
import type { StockReadQuery } from "../../types/api/index.js";
import type { CallOptions } from "../calls.js";
import type { StockView } from "../../types/api/index.js";
import type { SkuOnChannels } from "../../types/api/index.js";
import type { CountBody } from "../../types/api/index.js";
import type { KeyedOptions } from "../calls.js";
import type { MovedView } from "../../types/api/index.js";
import type { MovementsBody } from "../../types/api/index.js";
import type { MovementResult } from "../../types/api/index.js";
import type { AllocationBody } from "../../types/api/index.js";
import type { AllocatedView } from "../../types/api/index.js";
import type { AllocationsDropQuery } from "../../types/api/index.js";
import type { AllocationMoveBody } from "../../types/api/index.js";
import type { BackorderBody } from "../../types/api/index.js";
import type { BackorderSetView } from "../../types/api/index.js";
import type { BackordersReadQuery } from "../../types/api/index.js";
import type { BackorderPage } from "../../types/api/index.js";
import type { BarcodesBody } from "../../types/api/index.js";
import type { BarcodesPut } from "../../types/api/index.js";
import type { BarcodeView } from "../../types/api/index.js";
import type { BarcodesRemoveQuery } from "../../types/api/index.js";
import type { BarcodeRemoved } from "../../types/api/index.js";
import type { BarcodesReadOfSkuQuery } from "../../types/api/index.js";
import type { SkuBarcodes } from "../../types/api/index.js";
import type { ParcelView } from "../../types/api/index.js";
