/** @import { Call, CallOptions } from "./calls.js" */
/** @import { ClientOptions } from "./transport.js" */
/**
 * What a client can ask for, by what it is about; `docs/api` has every route.
 *
 * A method takes the names in the path, then the body or the query as the page has them, then how the call is made.
 */
export class Client {
    /** @param {ClientOptions} options */
    constructor(options: ClientOptions);
    allocations: Allocations;
    availability: Availability;
    backorders: Backorders;
    barcodes: Barcodes;
    browserTokens: BrowserTokens;
    changes: Changes;
    channels: Channels;
    files: Files;
    history: History;
    imports: Imports;
    inbox: Inbox;
    keys: Keys;
    listings: Listings;
    locations: Locations;
    orders: Orders;
    outbox: Outbox;
    replenishment: Replenishment;
    reports: Reports;
    reservations: Reservations;
    safety: Safety;
    shortages: Shortages;
    skus: Skus;
    sources: Sources;
    sourcing: Sourcing;
    stock: Stock;
    supply: Supply;
    system: System;
    timeZone: TimeZone;
    transfers: Transfers;
    /**
     * Carry out a call, such as the one of an `OutcomeUnknown`, which is then the same one again.
     *
     * @template T
     * @param {Call<T>} call
     * @param {CallOptions} [options]
     * @returns {Promise<T>}
     */
    run<T>(call: Call<T>, options?: CallOptions): Promise<T>;
    /**
     * Yield every page of a list: `client.pages((query) => client.reservations.readMany(query), { state: "held" })`.
     *
     * @template {object} const Q
     * @template {{ next: string }} P
     * @param {(query: Q) => Promise<P>} read
     * @param {Q} [query]
     * @returns {AsyncGenerator<P, void, undefined>}
     */
    pages<const Q extends object, P extends {
        next: string;
    }>(read: (query: Q) => Promise<P>, query?: Q): AsyncGenerator<P, void, undefined>;
    #private;
}
import { Allocations } from "./resources/stock.js";
import { Availability } from "./resources/availability.js";
import { Backorders } from "./resources/stock.js";
import { Barcodes } from "./resources/stock.js";
import { BrowserTokens } from "./resources/availability.js";
import { Changes } from "./streams.js";
import { Channels } from "./resources/channels.js";
import { Files } from "./resources/files.js";
import { History } from "./resources/reports.js";
import { Imports } from "./resources/files.js";
import { Inbox } from "./resources/orders.js";
import { Keys } from "./resources/keys.js";
import { Listings } from "./resources/channels.js";
import { Locations } from "./resources/locations.js";
import { Orders } from "./resources/orders.js";
import { Outbox } from "./resources/channels.js";
import { Replenishment } from "./resources/rules.js";
import { Reports } from "./resources/reports.js";
import { Reservations } from "./resources/reservations.js";
import { Safety } from "./resources/rules.js";
import { Shortages } from "./resources/reports.js";
import { Skus } from "./resources/skus.js";
import { Sources } from "./resources/sources.js";
import { Sourcing } from "./resources/locations.js";
import { Stock } from "./resources/stock.js";
import { Supply } from "./resources/supply.js";
import { System } from "./resources/reports.js";
import { TimeZone } from "./resources/rules.js";
import { Transfers } from "./resources/supply.js";
import type { Call } from "./calls.js";
import type { CallOptions } from "./calls.js";
import type { ClientOptions } from "./transport.js";
