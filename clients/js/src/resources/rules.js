// Rules: when to order, how much to keep back, and by which time zone days are told.

import { put } from "../batches.js";
import { read, sets } from "../calls.js";
import { Resource } from "../resource.js";

/** @import { CallOptions } from "../calls.js" */
/**
 * @import {
 *   EventList,
 *   ProposalList,
 *   ReplenishmentEventsQuery,
 *   ReplenishmentProposeQuery,
 *   RuleList,
 *   RulesBody,
 *   RulesPut,
 *   SafetyRuleList,
 *   SafetyRulesBody,
 *   SafetyRulesPut,
 *   TimeZoneBody,
 *   TimeZoneView,
 * } from "../../types/api/index.js"
 */

/** When to order what, and the events of stock that crossed a line. */
export class Replenishment extends Resource {
  /**
   * Set rules by which to order and to raise alerts. `PUT /v1/replenishment/rules`.
   *
   * @param {RulesBody} body
   * @param {CallOptions} [options]
   * @returns {Promise<RulesPut>}
   */
  async setRules(body, options) {
    /** @type {RulesPut[]} */
    const pages = await put(this.transport, "/v1/replenishment/rules", "rules", body.rules, options);
    return {
      rules: pages.flatMap((page) => page.rules),
      unknown_skus: pages.flatMap((page) => page.unknown_skus ?? []),
    };
  }

  /**
   * Read the rules. `GET /v1/replenishment/rules`.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<RuleList>}
   */
  readRules(options) {
    return this.run(read("/v1/replenishment/rules"), options);
  }

  /**
   * Read a page of what to order now. `GET /v1/replenishment`.
   *
   * @param {ReplenishmentProposeQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<ProposalList>}
   */
  readProposals(query, options) {
    return this.run(read("/v1/replenishment", query), options);
  }

  /**
   * Read the events after one, the oldest first. `GET /v1/events`.
   *
   * `next` is there on the last page, too: it is where to go on later. So do not read this with `pages`.
   *
   * @param {ReplenishmentEventsQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<EventList>}
   */
  events(query, options) {
    return this.run(read("/v1/events", query), options);
  }
}

/** How much to keep back. */
export class Safety extends Resource {
  /**
   * Set how much to keep back of categories and at locations. `PUT /v1/safety/rules`.
   *
   * @param {SafetyRulesBody} body
   * @param {CallOptions} [options]
   * @returns {Promise<SafetyRulesPut>}
   */
  async setRules(body, options) {
    /** @type {SafetyRulesPut[]} */
    const pages = await put(this.transport, "/v1/safety/rules", "rules", body.rules, options);
    return {
      rules: pages.flatMap((page) => page.rules),
      unknown_categories: pages.flatMap((page) => page.unknown_categories ?? []),
    };
  }

  /**
   * Read the rules. `GET /v1/safety/rules`.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<SafetyRuleList>}
   */
  readRules(options) {
    return this.run(read("/v1/safety/rules"), options);
  }
}

/** By which days are told. */
export class TimeZone extends Resource {
  /**
   * Read the time zone. `GET /v1/time-zone`.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<TimeZoneView>}
   */
  read(options) {
    return this.run(read("/v1/time-zone"), options);
  }

  /**
   * Set the time zone by its IANA name. `PUT /v1/time-zone`.
   *
   * @param {TimeZoneBody} body
   * @param {CallOptions} [options]
   * @returns {Promise<TimeZoneView>}
   */
  put(body, options) {
    return this.run(sets("PUT", "/v1/time-zone", body), options);
  }
}
