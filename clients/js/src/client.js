// The client: all resources over one transport.

import { Availability, BrowserTokens } from "./resources/availability.js";
import { Channels, Listings, Outbox } from "./resources/channels.js";
import { Files, Imports } from "./resources/files.js";
import { Keys } from "./resources/keys.js";
import { Locations, Sourcing } from "./resources/locations.js";
import { Inbox, Orders } from "./resources/orders.js";
import { History, Reports, Shortages, System } from "./resources/reports.js";
import { Reservations } from "./resources/reservations.js";
import { Replenishment, Safety, TimeZone } from "./resources/rules.js";
import { Skus } from "./resources/skus.js";
import { Sources } from "./resources/sources.js";
import { Allocations, Backorders, Barcodes, Stock } from "./resources/stock.js";
import { Supply, Transfers } from "./resources/supply.js";
import { Changes } from "./streams.js";
import { Transport } from "./transport.js";

/** @import { Call, CallOptions } from "./calls.js" */
/** @import { ClientOptions } from "./transport.js" */

/**
 * What a client can ask for, by what it is about; `docs/api` has every route.
 *
 * A method takes the names in the path, then the body or the query as the page has them, then how the call is made.
 */
export class Client {
  #transport;

  /** @param {ClientOptions} options */
  constructor(options) {
    const transport = new Transport(options);
    this.#transport = transport;
    this.allocations = new Allocations(transport);
    this.availability = new Availability(transport);
    this.backorders = new Backorders(transport);
    this.barcodes = new Barcodes(transport);
    this.browserTokens = new BrowserTokens(transport);
    this.changes = new Changes(transport);
    this.channels = new Channels(transport);
    this.files = new Files(transport);
    this.history = new History(transport);
    this.imports = new Imports(transport);
    this.inbox = new Inbox(transport);
    this.keys = new Keys(transport);
    this.listings = new Listings(transport);
    this.locations = new Locations(transport);
    this.orders = new Orders(transport);
    this.outbox = new Outbox(transport);
    this.replenishment = new Replenishment(transport);
    this.reports = new Reports(transport);
    this.reservations = new Reservations(transport);
    this.safety = new Safety(transport);
    this.shortages = new Shortages(transport);
    this.skus = new Skus(transport);
    this.sources = new Sources(transport);
    this.sourcing = new Sourcing(transport);
    this.stock = new Stock(transport);
    this.supply = new Supply(transport);
    this.system = new System(transport);
    this.timeZone = new TimeZone(transport);
    this.transfers = new Transfers(transport);
  }

  /**
   * Carry out a call, such as the one of an `OutcomeUnknown`, which is then the same one again.
   *
   * @template T
   * @param {Call<T>} call
   * @param {CallOptions} [options]
   * @returns {Promise<T>}
   */
  run(call, options) {
    return this.#transport.run(call, options);
  }

  /**
   * Yield every page of a list: `client.pages((query) => client.reservations.readMany(query), { state: "held" })`.
   *
   * @template {object} const Q
   * @template {{ next: string }} P
   * @param {(query: Q) => Promise<P>} read
   * @param {Q} [query]
   * @returns {AsyncGenerator<P, void, undefined>}
   */
  async *pages(read, query) {
    let page = await read(/** @type {Q} */ ({ ...query }));
    yield page;
    while (page.next) {
      page = await read(/** @type {Q} */ ({ ...query, after: page.next }));
      yield page;
    }
  }
}
