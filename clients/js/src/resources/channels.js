// Sales channels: their rules and state, what they list, and the commands to them about their orders.

import { put, sum } from "../batches.js";
import { adds, at, keyed, queryOf, read, sets } from "../calls.js";
import { Resource } from "../resource.js";

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
  readMany(options) {
    return this.run(read("/v1/channels"), options);
  }

  /**
   * Read a channel's rules. `GET /v1/channels/{channel}`.
   *
   * @param {string} channel
   * @param {CallOptions} [options]
   * @returns {Promise<ChannelView>}
   */
  read(channel, options) {
    return this.run(read(at`/v1/channels/${channel}`), options);
  }

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
  setRules(channel, body = {}, options) {
    return this.run(sets("PUT", at`/v1/channels/${channel}`, body), options);
  }

  /**
   * Read how a channel stands. `GET /v1/channels/{channel}/status`.
   *
   * @param {string} channel
   * @param {CallOptions} [options]
   * @returns {Promise<ChannelStatusView>}
   */
  status(channel, options) {
    return this.run(read(at`/v1/channels/${channel}/status`), options);
  }

  /**
   * Send the channel nothing until it is resumed. `POST …/pause`.
   *
   * @param {string} channel
   * @param {PauseBody} [body]
   * @param {CallOptions} [options]
   * @returns {Promise<ChannelView>}
   */
  pause(channel, body = {}, options) {
    return this.run(sets("POST", at`/v1/channels/${channel}/pause`, body), options);
  }

  /**
   * Send the channel what has changed, and what changes. `POST …/resume`.
   *
   * @param {string} channel
   * @param {PauseBody} [body]
   * @param {CallOptions} [options]
   * @returns {Promise<ChannelView>}
   */
  resume(channel, body = {}, options) {
    return this.run(sets("POST", at`/v1/channels/${channel}/resume`, body), options);
  }

  /**
   * Find out whether the channel answers. `POST …/test`.
   *
   * @param {string} channel
   * @param {CallOptions} [options]
   * @returns {Promise<ChannelAsked>}
   */
  test(channel, options) {
    return this.run(sets("POST", at`/v1/channels/${channel}/test`), options);
  }

  /**
   * Have everything compared with the channel, and corrected. `POST …/reconcile`.
   *
   * @param {string} channel
   * @param {CallOptions} [options]
   * @returns {Promise<ChannelAsked>}
   */
  reconcile(channel, options) {
    return this.run(sets("POST", at`/v1/channels/${channel}/reconcile`), options);
  }

  /**
   * Read a page of the values that a channel refuses. `GET …/dead-letters`.
   *
   * @param {string} channel
   * @param {ChannelsDeadLettersQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<DeadLetterList>}
   */
  deadLetters(channel, query, options) {
    return this.run(read(at`/v1/channels/${channel}/dead-letters`, query), options);
  }

  /**
   * Have them sent again: all, or those of some SKUs. `POST …/dead-letters/retry`.
   *
   * @param {string} channel
   * @param {RetryBody} [body]
   * @param {CallOptions} [options]
   * @returns {Promise<ChannelAsked>}
   */
  retryDeadLetters(channel, body = {}, options) {
    return this.run(sets("POST", at`/v1/channels/${channel}/dead-letters/retry`, body), options);
  }

  /**
   * Have orders read from the channel now, and booked. `POST …/orders/read`.
   *
   * @param {string} channel
   * @param {OrderNumbers} body
   * @param {CallOptions} [options]
   * @returns {Promise<Remembered>}
   */
  pullOrders(channel, body, options) {
    return this.run(sets("POST", at`/v1/channels/${channel}/orders/read`, body), options);
  }
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
  async put(channel, body, options) {
    /** @type {ListingsPut[]} */
    const pages = await put(this.transport, at`/v1/channels/${channel}/listings`, "listings", body.listings, options);
    return {
      listings: sum(pages.map((page) => page.listings)),
      unknown_skus: pages.flatMap((page) => page.unknown_skus),
    };
  }

  /**
   * Read a page of what a channel lists, and what it shows of each. `GET …/listings`.
   *
   * @param {string} channel
   * @param {ListingsReadQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<ListingPage>}
   */
  readMany(channel, query, options) {
    return this.run(read(at`/v1/channels/${channel}/listings`, query), options);
  }

  /**
   * Delete the listing of a SKU. `DELETE …/listings/{sku}`.
   *
   * @param {string} channel
   * @param {string} sku
   * @param {CallOptions} [options]
   * @returns {Promise<ListingDeleted>}
   */
  delete(channel, sku, options) {
    return this.run(sets("DELETE", at`/v1/channels/${channel}/listings/${sku}`), options);
  }

  /**
   * Delete a pack or bundle by its key. `DELETE …/listings`.
   *
   * @param {string} channel
   * @param {RenamesDeletePackQuery} query
   * @param {CallOptions} [options]
   * @returns {Promise<KeyDeleted>}
   */
  deletePack(channel, query, options) {
    return this.run(sets("DELETE", at`/v1/channels/${channel}/listings` + queryOf(query)), options);
  }
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
  send(channel, body, options) {
    const path = at`/v1/channels/${channel}/outbox`;
    const hasKey = options?.idempotencyKey !== undefined;
    return this.run(hasKey ? keyed("POST", path, body, options) : sets("POST", path, body), options);
  }

  /**
   * Read a page of the commands, the newest first. `GET …/outbox`.
   *
   * @param {string} channel
   * @param {IntakeReadOutboxQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<OutboxList>}
   */
  readMany(channel, query, options) {
    return this.run(read(at`/v1/channels/${channel}/outbox`, query), options);
  }

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
  sendAgain(channel, body, options) {
    const findOut =
      "read the outbox; a command that is waiting, sending or done, or has changed since, was sent again";
    return this.run(adds("POST", at`/v1/channels/${channel}/outbox/again`, body, findOut), options);
  }

  /**
   * Cancel commands that were not sent yet. `POST …/outbox/cancel`.
   *
   * @param {string} channel
   * @param {CommandIds} body
   * @param {CallOptions} [options]
   * @returns {Promise<Remembered>}
   */
  cancel(channel, body, options) {
    return this.run(sets("POST", at`/v1/channels/${channel}/outbox/cancel`, body), options);
  }

  /**
   * Record that commands whose answer was lost were carried out. `POST …/outbox/done`.
   *
   * @param {string} channel
   * @param {CommandIds} body
   * @param {CallOptions} [options]
   * @returns {Promise<Remembered>}
   */
  markDone(channel, body, options) {
    return this.run(sets("POST", at`/v1/channels/${channel}/outbox/done`, body), options);
  }
}
