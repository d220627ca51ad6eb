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
    readMany(query?: OrdersReadManyQuery, options?: CallOptions): Promise<OrderPage>;
    /**
     * Read an order with its lines, reservations and timeline. `GET /v1/orders/{channel}/{number}`.
     *
     * @param {string} channel
     * @param {string} number
     * @param {CallOptions} [options]
     * @returns {Promise<OrderView>}
     */
    read(channel: string, number: string, options?: CallOptions): Promise<OrderView>;
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
    addNote(channel: string, number: string, body: NoteBody, options?: CallOptions): Promise<OrderView>;
    /**
     * Read the label or invoice that a channel answered with. `GET …/papers/{command_id}`.
     *
     * @param {string} channel
     * @param {string} number
     * @param {string} commandId
     * @param {CallOptions} [options]
     * @returns {Promise<PaperView>}
     */
    readPaper(channel: string, number: string, commandId: string, options?: CallOptions): Promise<PaperView>;
    /**
     * Erase the personal data of an order for good. `POST …/erase`.
     *
     * @param {string} channel
     * @param {string} number
     * @param {CallOptions} [options]
     * @returns {Promise<Erased>}
     */
    erase(channel: string, number: string, options?: CallOptions): Promise<Erased>;
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
    readMany(query?: OrdersReadInboxQuery, options?: CallOptions): Promise<InboxPage>;
    /**
     * Have an order read and booked now. `POST /v1/inbox/{channel}/{number}/retry`.
     *
     * @param {string} channel
     * @param {string} number
     * @param {CallOptions} [options]
     * @returns {Promise<InboxAsked>}
     */
    retry(channel: string, number: string, options?: CallOptions): Promise<InboxAsked>;
    /**
     * Leave an order alone. `POST /v1/inbox/{channel}/{number}/ignore`.
     *
     * @param {string} channel
     * @param {string} number
     * @param {CallOptions} [options]
     * @returns {Promise<InboxAsked>}
     */
    ignore(channel: string, number: string, options?: CallOptions): Promise<InboxAsked>;
    /**
     * Say what the channel's keys mean, and have the order booked. `POST /v1/inbox/{channel}/{number}/map`.
     *
     * @param {string} channel
     * @param {string} number
     * @param {ListingsBody} body
     * @param {CallOptions} [options]
     * @returns {Promise<InboxAsked>}
     */
    mapListings(channel: string, number: string, body: ListingsBody, options?: CallOptions): Promise<InboxAsked>;
}
import { Resource } from "../resource.js";
import type { OrdersReadManyQuery } from "../../types/api/index.js";
import type { CallOptions } from "../calls.js";
import type { OrderPage } from "../../types/api/index.js";
import type { OrderView } from "../../types/api/index.js";
import type { NoteBody } from "../../types/api/index.js";
import type { PaperView } from "../../types/api/index.js";
import type { Erased } from "../../types/api/index.js";
import type { OrdersReadInboxQuery } from "../../types/api/index.js";
import type { InboxPage } from "../../types/api/index.js";
import type { InboxAsked } from "../../types/api/index.js";
import type { ListingsBody } from "../../types/api/index.js";
