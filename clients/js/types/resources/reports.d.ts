/** @import { CallOptions } from "../calls.js" */
/**
 * @import {
 *   Health,
 *   HistoryPage,
 *   HistoryReadQuery,
 *   ReportsOnNoChannelQuery,
 *   ReportsSalesQuery,
 *   ReportsVelocityQuery,
 *   SalesReport,
 *   ShortageList,
 *   ShortagePreview,
 *   ShortagePreviewReadQuery,
 *   ShortagesReadQuery,
 *   TodayReadQuery,
 *   TodayView,
 *   UnlistedReport,
 *   VelocityReport,
 * } from "../../types/api/index.js"
 */
/** Where more is reserved than there is. */
export class Shortages extends Resource {
    /**
     * Read a page of what is short, and whom it hits. `GET /v1/shortages`.
     *
     * @param {ShortagesReadQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<ShortageList>}
     */
    readMany(query?: ShortagesReadQuery, options?: CallOptions): Promise<ShortageList>;
    /**
     * Read who would lack units if there were fewer. `GET /v1/shortages/preview`.
     *
     * @param {ShortagePreviewReadQuery} query
     * @param {CallOptions} [options]
     * @returns {Promise<ShortagePreview>}
     */
    preview(query: ShortagePreviewReadQuery, options?: CallOptions): Promise<ShortagePreview>;
}
/** Figures for people. */
export class Reports extends Resource {
    /**
     * Read what was sold. `GET /v1/reports/sales`.
     *
     * @param {ReportsSalesQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<SalesReport>}
     */
    sales(query?: ReportsSalesQuery, options?: CallOptions): Promise<SalesReport>;
    /**
     * Read how fast things go, and how long they last. `GET /v1/reports/velocity`.
     *
     * @param {ReportsVelocityQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<VelocityReport>}
     */
    velocity(query?: ReportsVelocityQuery, options?: CallOptions): Promise<VelocityReport>;
    /**
     * Read a page of what is in stock and on no channel. `GET /v1/reports/unlisted`.
     *
     * @param {ReportsOnNoChannelQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<UnlistedReport>}
     */
    unlisted(query?: ReportsOnNoChannelQuery, options?: CallOptions): Promise<UnlistedReport>;
    /**
     * Read what is due now. `GET /v1/today`.
     *
     * @param {TodayReadQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<TodayView>}
     */
    today(query?: TodayReadQuery, options?: CallOptions): Promise<TodayView>;
}
/** Who changed what. */
export class History extends Resource {
    /**
     * Read a page of changes, the newest first. `GET /v1/history`.
     *
     * @param {HistoryReadQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<HistoryPage>}
     */
    readMany(query?: HistoryReadQuery, options?: CallOptions): Promise<HistoryPage>;
}
/** Whether the server is well; these need no key. */
export class System extends Resource {
    /**
     * Ask whether the process lives. `GET /livez`.
     *
     * @param {CallOptions} [options]
     * @returns {Promise<Health>}
     */
    alive(options?: CallOptions): Promise<Health>;
    /**
     * Ask whether it can take work. `GET /readyz`.
     *
     * @param {CallOptions} [options]
     * @returns {Promise<Health>}
     */
    ready(options?: CallOptions): Promise<Health>;
}
import { Resource } from "../resource.js";
import type { ShortagesReadQuery } from "../../types/api/index.js";
import type { CallOptions } from "../calls.js";
import type { ShortageList } from "../../types/api/index.js";
import type { ShortagePreviewReadQuery } from "../../types/api/index.js";
import type { ShortagePreview } from "../../types/api/index.js";
import type { ReportsSalesQuery } from "../../types/api/index.js";
import type { SalesReport } from "../../types/api/index.js";
import type { ReportsVelocityQuery } from "../../types/api/index.js";
import type { VelocityReport } from "../../types/api/index.js";
import type { ReportsOnNoChannelQuery } from "../../types/api/index.js";
import type { UnlistedReport } from "../../types/api/index.js";
import type { TodayReadQuery } from "../../types/api/index.js";
import type { TodayView } from "../../types/api/index.js";
import type { HistoryReadQuery } from "../../types/api/index.js";
import type { HistoryPage } from "../../types/api/index.js";
import type { Health } from "../../types/api/index.js";
