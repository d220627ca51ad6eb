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
    setRules(body: RulesBody, options?: CallOptions): Promise<RulesPut>;
    /**
     * Read the rules. `GET /v1/replenishment/rules`.
     *
     * @param {CallOptions} [options]
     * @returns {Promise<RuleList>}
     */
    readRules(options?: CallOptions): Promise<RuleList>;
    /**
     * Read a page of what to order now. `GET /v1/replenishment`.
     *
     * @param {ReplenishmentProposeQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<ProposalList>}
     */
    readProposals(query?: ReplenishmentProposeQuery, options?: CallOptions): Promise<ProposalList>;
    /**
     * Read the events after one, the oldest first. `GET /v1/events`.
     *
     * `next` is there on the last page, too: it is where to go on later. So do not read this with `pages`.
     *
     * @param {ReplenishmentEventsQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<EventList>}
     */
    events(query?: ReplenishmentEventsQuery, options?: CallOptions): Promise<EventList>;
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
    setRules(body: SafetyRulesBody, options?: CallOptions): Promise<SafetyRulesPut>;
    /**
     * Read the rules. `GET /v1/safety/rules`.
     *
     * @param {CallOptions} [options]
     * @returns {Promise<SafetyRuleList>}
     */
    readRules(options?: CallOptions): Promise<SafetyRuleList>;
}
/** By which days are told. */
export class TimeZone extends Resource {
    /**
     * Read the time zone. `GET /v1/time-zone`.
     *
     * @param {CallOptions} [options]
     * @returns {Promise<TimeZoneView>}
     */
    read(options?: CallOptions): Promise<TimeZoneView>;
    /**
     * Set the time zone by its IANA name. `PUT /v1/time-zone`.
     *
     * @param {TimeZoneBody} body
     * @param {CallOptions} [options]
     * @returns {Promise<TimeZoneView>}
     */
    put(body: TimeZoneBody, options?: CallOptions): Promise<TimeZoneView>;
}
import { Resource } from "../resource.js";
import type { RulesBody } from "../../types/api/index.js";
import type { CallOptions } from "../calls.js";
import type { RulesPut } from "../../types/api/index.js";
import type { RuleList } from "../../types/api/index.js";
import type { ReplenishmentProposeQuery } from "../../types/api/index.js";
import type { ProposalList } from "../../types/api/index.js";
import type { ReplenishmentEventsQuery } from "../../types/api/index.js";
import type { EventList } from "../../types/api/index.js";
import type { SafetyRulesBody } from "../../types/api/index.js";
import type { SafetyRulesPut } from "../../types/api/index.js";
import type { SafetyRuleList } from "../../types/api/index.js";
import type { TimeZoneView } from "../../types/api/index.js";
import type { TimeZoneBody } from "../../types/api/index.js";
