// Orders that channels told of, and the inbox of those that could not be booked.

import { adds, at, read, sets } from "../calls.js";
import { Resource } from "../resource.js";

/** @import { CallOptions } from "../calls.js" */
/**
 * @import {
 *   Erased,
 *   InboxAsked,
 *   InboxPage,
 *   ListingsBody,
 *   NoteBody,
 *   OrderPage,
 *   OrderView,
 *   OrdersReadInboxQuery,
 *   OrdersReadManyQuery,
 *   PaperView,
 * } from "../../types/api/index.js"
 */

/** Orders of channels, with all that is kept of them. */
export class Orders extends Resource {
  /**
   * Read a page of the orders that match. `GET /v1/orders`.
   *
   * @param {OrdersReadManyQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<OrderPage>}
   */
  readMany(query, options) {
    return this.run(read("/v1/orders", query), options);
  }

  /**
   * Read an order with its lines, reservations and timeline. `GET /v1/orders/{channel}/{number}`.
   *
   * @param {string} channel
   * @param {string} number
   * @param {CallOptions} [options]
   * @returns {Promise<OrderView>}
   */
  read(channel, number, options) {
    return this.run(read(at`/v1/orders/${channel}/${number}`), options);
  }

  /**
   * Add a note for people. `POST /v1/orders/{channel}/{number}/notes`.
   *
   * A note that is sent twice stands there twice, so it is not sent again after a lost answer.
   *
   * @param {string} channel
   * @param {string} number
   * @param {NoteBody} body
   * @param {CallOptions} [options]
   * @returns {Promise<OrderView>}
   */
  addNote(channel, number, body, options) {
    const findOut = "read the order; if the note is there, it was added";
    return this.run(adds("POST", at`/v1/orders/${channel}/${number}/notes`, body, findOut), options);
  }

  /**
   * Read the label or invoice that a channel answered with. `GET …/papers/{command_id}`.
   *
   * @param {string} channel
   * @param {string} number
   * @param {string} commandId
   * @param {CallOptions} [options]
   * @returns {Promise<PaperView>}
   */
  readPaper(channel, number, commandId, options) {
    return this.run(read(at`/v1/orders/${channel}/${number}/papers/${commandId}`), options);
  }

  /**
   * Erase the personal data of an order for good. `POST …/erase`.
   *
   * @param {string} channel
   * @param {string} number
   * @param {CallOptions} [options]
   * @returns {Promise<Erased>}
   */
  erase(channel, number, options) {
    return this.run(sets("POST", at`/v1/orders/${channel}/${number}/erase`), options);
  }
}

/** Orders that could not be booked, and why. */
export class Inbox extends Resource {
  /**
   * Read a page of the inbox. `GET /v1/inbox`.
   *
   * @param {OrdersReadInboxQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<InboxPage>}
   */
  readMany(query, options) {
    return this.run(read("/v1/inbox", query), options);
  }

  /**
   * Have an order read and booked now. `POST /v1/inbox/{channel}/{number}/retry`.
   *
   * @param {string} channel
   * @param {string} number
   * @param {CallOptions} [options]
   * @returns {Promise<InboxAsked>}
   */
  retry(channel, number, options) {
    return this.run(sets("POST", at`/v1/inbox/${channel}/${number}/retry`), options);
  }

  /**
   * Leave an order alone. `POST /v1/inbox/{channel}/{number}/ignore`.
   *
   * @param {string} channel
   * @param {string} number
   * @param {CallOptions} [options]
   * @returns {Promise<InboxAsked>}
   */
  ignore(channel, number, options) {
    return this.run(sets("POST", at`/v1/inbox/${channel}/${number}/ignore`), options);
  }

  /**
   * Say what the channel's keys mean, and have the order booked. `POST /v1/inbox/{channel}/{number}/map`.
   *
   * @param {string} channel
   * @param {string} number
   * @param {ListingsBody} body
   * @param {CallOptions} [options]
   * @returns {Promise<InboxAsked>}
   */
  mapListings(channel, number, body, options) {
    return this.run(sets("POST", at`/v1/inbox/${channel}/${number}/map`, body), options);
  }
}
