/** @import { CallOptions, KeyedOptions } from "../calls.js" */
/**
 * @import {
 *   ChannelAsked,
 *   ChannelList,
 *   ChannelRulesBody,
 *   ChannelStatusView,
 *   ChannelView,
 *   ChannelsDeadLettersQuery,
 *   CommandBody,
 *   CommandIds,
 *   DeadLetterList,
 *   IntakeReadOutboxQuery,
 *   KeyDeleted,
 *   ListingDeleted,
 *   ListingPage,
 *   ListingsBody,
 *   ListingsPut,
 *   ListingsReadQuery,
 *   OrderNumbers,
 *   OutboxList,
 *   PauseBody,
 *   Remembered,
 *   RenamesDeletePackQuery,
 *   RetryBody,
 * } from "../../types/api/index.js"
 */
/** Sales channels. */
export class Channels extends Resource {
    /**
     * Read all channels. `GET /v1/channels`.
     *
     * @param {CallOptions} [options]
     * @returns {Promise<ChannelList>}
     */
    readMany(options?: CallOptions): Promise<ChannelList>;
    /**
     * Read a channel's rules. `GET /v1/channels/{channel}`.
     *
     * @param {string} channel
     * @param {CallOptions} [options]
     * @returns {Promise<ChannelView>}
     */
    read(channel: string, options?: CallOptions): Promise<ChannelView>;
    /**
     * Replace the rules that were set at run time. `PUT /v1/channels/{channel}`.
     *
     * What is left out goes back to the configuration. `cap` None: no cap.
     *
     * @param {string} channel
     * @param {ChannelRulesBody} [body]
     * @param {CallOptions} [options]
     * @returns {Promise<ChannelView>}
     */
    setRules(channel: string, body?: ChannelRulesBody, options?: CallOptions): Promise<ChannelView>;
    /**
     * Read how a channel stands. `GET /v1/channels/{channel}/status`.
     *
     * @param {string} channel
     * @param {CallOptions} [options]
     * @returns {Promise<ChannelStatusView>}
     */
    status(channel: string, options?: CallOptions): Promise<ChannelStatusView>;
    /**
     * Send the channel nothing until it is resumed. `POST …/pause`.
     *
     * @param {string} channel
     * @param {PauseBody} [body]
     * @param {CallOptions} [options]
     * @returns {Promise<ChannelView>}
     */
    pause(channel: string, body?: PauseBody, options?: CallOptions): Promise<ChannelView>;
    /**
     * Send the channel what has changed, and what changes. `POST …/resume`.
     *
     * @param {string} channel
     * @param {PauseBody} [body]
     * @param {CallOptions} [options]
     * @returns {Promise<ChannelView>}
     */
    resume(channel: string, body?: PauseBody, options?: CallOptions): Promise<ChannelView>;
    /**
     * Find out whether the channel answers. `POST …/test`.
     *
     * @param {string} channel
     * @param {CallOptions} [options]
     * @returns {Promise<ChannelAsked>}
     */
    test(channel: string, options?: CallOptions): Promise<ChannelAsked>;
    /**
     * Have everything compared with the channel, and corrected. `POST …/reconcile`.
     *
     * @param {string} channel
     * @param {CallOptions} [options]
     * @returns {Promise<ChannelAsked>}
     */
    reconcile(channel: string, options?: CallOptions): Promise<ChannelAsked>;
    /**
     * Read a page of the values that a channel refuses. `GET …/dead-letters`.
     *
     * @param {string} channel
     * @param {ChannelsDeadLettersQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<DeadLetterList>}
     */
    deadLetters(channel: string, query?: ChannelsDeadLettersQuery, options?: CallOptions): Promise<DeadLetterList>;
    /**
     * Have them sent again: all, or those of some SKUs. `POST …/dead-letters/retry`.
     *
     * @param {string} channel
     * @param {RetryBody} [body]
     * @param {CallOptions} [options]
     * @returns {Promise<ChannelAsked>}
     */
    retryDeadLetters(channel: string, body?: RetryBody, options?: CallOptions): Promise<ChannelAsked>;
    /**
     * Have orders read from the channel now, and booked. `POST …/orders/read`.
     *
     * @param {string} channel
     * @param {OrderNumbers} body
     * @param {CallOptions} [options]
     * @returns {Promise<Remembered>}
     */
    pullOrders(channel: string, body: OrderNumbers, options?: CallOptions): Promise<Remembered>;
}
/** Which SKUs a channel sells, under which keys. */
export class Listings extends Resource {
    /**
     * Add listings, or replace them; more than one request can have are split. `PUT …/listings`.
     *
     * @param {string} channel
     * @param {ListingsBody} body
     * @param {CallOptions} [options]
     * @returns {Promise<ListingsPut>}
     */
    put(channel: string, body: ListingsBody, options?: CallOptions): Promise<ListingsPut>;
    /**
     * Read a page of what a channel lists, and what it shows of each. `GET …/listings`.
     *
     * @param {string} channel
     * @param {ListingsReadQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<ListingPage>}
     */
    readMany(channel: string, query?: ListingsReadQuery, options?: CallOptions): Promise<ListingPage>;
    /**
     * Delete the listing of a SKU. `DELETE …/listings/{sku}`.
     *
     * @param {string} channel
     * @param {string} sku
     * @param {CallOptions} [options]
     * @returns {Promise<ListingDeleted>}
     */
    delete(channel: string, sku: string, options?: CallOptions): Promise<ListingDeleted>;
    /**
     * Delete a pack or bundle by its key. `DELETE …/listings`.
     *
     * @param {string} channel
     * @param {RenamesDeletePackQuery} query
     * @param {CallOptions} [options]
     * @returns {Promise<KeyDeleted>}
     */
    deletePack(channel: string, query: RenamesDeletePackQuery, options?: CallOptions): Promise<KeyDeleted>;
}
/** Commands to a channel about its orders. */
export class Outbox extends Resource {
    /**
     * Send a command about an order; it waits in the outbox until the channel answers. `POST …/outbox`.
     *
     * The same command sent again is one command, unless it has another `idempotencyKey`.
     *
     * @param {string} channel
     * @param {CommandBody} body
     * @param {KeyedOptions} [options]
     * @returns {Promise<Remembered>}
     */
    send(channel: string, body: CommandBody, options?: KeyedOptions): Promise<Remembered>;
    /**
     * Read a page of the commands, the newest first. `GET …/outbox`.
     *
     * @param {string} channel
     * @param {IntakeReadOutboxQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<OutboxList>}
     */
    readMany(channel: string, query?: IntakeReadOutboxQuery, options?: CallOptions): Promise<OutboxList>;
    /**
     * Send settled commands again that are not done. `POST …/outbox/again`.
     *
     * It is not sent again after a lost answer: what was refused once more meanwhile would go out a third time.
     *
     * @param {string} channel
     * @param {CommandIds} body
     * @param {CallOptions} [options]
     * @returns {Promise<Remembered>}
     */
    sendAgain(channel: string, body: CommandIds, options?: CallOptions): Promise<Remembered>;
    /**
     * Cancel commands that were not sent yet. `POST …/outbox/cancel`.
     *
     * @param {string} channel
     * @param {CommandIds} body
     * @param {CallOptions} [options]
     * @returns {Promise<Remembered>}
     */
    cancel(channel: string, body: CommandIds, options?: CallOptions): Promise<Remembered>;
    /**
     * Record that commands whose answer was lost were carried out. `POST …/outbox/done`.
     *
     * @param {string} channel
     * @param {CommandIds} body
     * @param {CallOptions} [options]
     * @returns {Promise<Remembered>}
     */
    markDone(channel: string, body: CommandIds, options?: CallOptions): Promise<Remembered>;
}
import { Resource } from "../resource.js";
import type { CallOptions } from "../calls.js";
import type { ChannelList } from "../../types/api/index.js";
import type { ChannelView } from "../../types/api/index.js";
import type { ChannelRulesBody } from "../../types/api/index.js";
import type { ChannelStatusView } from "../../types/api/index.js";
import type { PauseBody } from "../../types/api/index.js";
import type { ChannelAsked } from "../../types/api/index.js";
import type { ChannelsDeadLettersQuery } from "../../types/api/index.js";
import type { DeadLetterList } from "../../types/api/index.js";
import type { RetryBody } from "../../types/api/index.js";
import type { OrderNumbers } from "../../types/api/index.js";
import type { Remembered } from "../../types/api/index.js";
import type { ListingsBody } from "../../types/api/index.js";
import type { ListingsPut } from "../../types/api/index.js";
import type { ListingsReadQuery } from "../../types/api/index.js";
import type { ListingPage } from "../../types/api/index.js";
import type { ListingDeleted } from "../../types/api/index.js";
import type { RenamesDeletePackQuery } from "../../types/api/index.js";
import type { KeyDeleted } from "../../types/api/index.js";
import type { CommandBody } from "../../types/api/index.js";
import type { KeyedOptions } from "../calls.js";
import type { IntakeReadOutboxQuery } from "../../types/api/index.js";
import type { OutboxList } from "../../types/api/index.js";
import type { CommandIds } from "../../types/api/index.js";
