// What is short, what was sold, who changed what, and whether the server is well.

import { read } from "../calls.js";
import { Resource } from "../resource.js";

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
  readMany(query, options) {
    return this.run(read("/v1/shortages", query), options);
  }

  /**
   * Read who would lack units if there were fewer. `GET /v1/shortages/preview`.
   *
   * @param {ShortagePreviewReadQuery} query
   * @param {CallOptions} [options]
   * @returns {Promise<ShortagePreview>}
   */
  preview(query, options) {
    return this.run(read("/v1/shortages/preview", query), options);
  }
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
  sales(query, options) {
    return this.run(read("/v1/reports/sales", query), options);
  }

  /**
   * Read how fast things go, and how long they last. `GET /v1/reports/velocity`.
   *
   * @param {ReportsVelocityQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<VelocityReport>}
   */
  velocity(query, options) {
    return this.run(read("/v1/reports/velocity", query), options);
  }

  /**
   * Read a page of what is in stock and on no channel. `GET /v1/reports/unlisted`.
   *
   * @param {ReportsOnNoChannelQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<UnlistedReport>}
   */
  unlisted(query, options) {
    return this.run(read("/v1/reports/unlisted", query), options);
  }

  /**
   * Read what is due now. `GET /v1/today`.
   *
   * @param {TodayReadQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<TodayView>}
   */
  today(query, options) {
    return this.run(read("/v1/today", query), options);
  }
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
  readMany(query, options) {
    return this.run(read("/v1/history", query), options);
  }
}

/** Whether the server is well; these need no key. */
export class System extends Resource {
  /**
   * Ask whether the process lives. `GET /livez`.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<Health>}
   */
  alive(options) {
    return this.run(read("/livez"), options);
  }

  /**
   * Ask whether it can take work. `GET /readyz`.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<Health>}
   */
  ready(options) {
    return this.run(read("/readyz"), options);
  }
}
