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
    readMany(query?: FindingReadSkusQuery, options?: CallOptions): Promise<SkusPage>;
    /**
     * Read what a SKU is. `GET /v1/skus/{sku}`.
     *
     * @param {string} sku
     * @param {CallOptions} [options]
     * @returns {Promise<SkuView>}
     */
    read(sku: string, options?: CallOptions): Promise<SkuView>;
    /**
     * Put a SKU into a category (None: none), and say whether it has stock. `PUT /v1/skus/{sku}`.
     *
     * @param {string} sku
     * @param {SkuBody} [body]
     * @param {CallOptions} [options]
     * @returns {Promise<SkuView>}
     */
    put(sku: string, body?: SkuBody, options?: CallOptions): Promise<SkuView>;
    /**
     * Put SKUs into categories; more than one request can have are split. `PUT /v1/skus`.
     *
     * @param {SkusBody} body
     * @param {CallOptions} [options]
     * @returns {Promise<SkuList>}
     */
    putMany(body: SkusBody, options?: CallOptions): Promise<SkuList>;
    /**
     * Give a SKU another name; the old one still works. `POST /v1/skus/{sku}/rename`.
     *
     * @param {string} sku
     * @param {RenameBody} body
     * @param {CallOptions} [options]
     * @returns {Promise<RenamedView>}
     */
    rename(sku: string, body: RenameBody, options?: CallOptions): Promise<RenamedView>;
    /**
     * Delete a SKU that has no units. `DELETE /v1/skus/{sku}`.
     *
     * After a lost answer it may say that the SKU is not known, which is then the expected answer.
     *
     * @param {string} sku
     * @param {CallOptions} [options]
     * @returns {Promise<DeletedView>}
     */
    delete(sku: string, options?: CallOptions): Promise<DeletedView>;
}
import { Resource } from "../resource.js";
import type { FindingReadSkusQuery } from "../../types/api/index.js";
import type { CallOptions } from "../calls.js";
import type { SkusPage } from "../../types/api/index.js";
import type { SkuView } from "../../types/api/index.js";
import type { SkuBody } from "../../types/api/index.js";
import type { SkusBody } from "../../types/api/index.js";
import type { SkuList } from "../../types/api/index.js";
import type { RenameBody } from "../../types/api/index.js";
import type { RenamedView } from "../../types/api/index.js";
import type { DeletedView } from "../../types/api/index.js";
