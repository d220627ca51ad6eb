// Reservations and orders: hold, extend, commit, release, cancel, ship, return, exchange, change and move.

import { RESERVATIONS_MAX, resultsInOrder } from "../batches.js";
import { atId, callOf, keyed, read, readByPost } from "../calls.js";
import { Resource } from "../resource.js";

/** @import { Call, CallOptions, KeyedOptions } from "../calls.js" */
/**
 * @import {
 *   CancelBody,
 *   ChangeLinesBody,
 *   CommitBody,
 *   ExchangeBody,
 *   ExchangeView,
 *   ExtendBody,
 *   FulfilBody,
 *   LookupBody,
 *   OrderBody,
 *   OrderShortageList,
 *   ReleaseBody,
 *   RelocateBody,
 *   ReservationPage,
 *   ReservationResult,
 *   ReservationView,
 *   ReservationsReadManyQuery,
 *   ReserveBody,
 *   ReserveManyBody,
 *   ReturnBody,
 * } from "../../types/api/index.js"
 */

/** Holds, and the orders that they become. */
export class Reservations extends Resource {
  /**
   * Hold units for `ttl_s` seconds: for every line, or for none. `POST /v1/reservations`.
   *
   * A `reservation_id` of your own makes it one hold however often it is called, also from another process.
   *
   * @param {ReserveBody} body
   * @param {KeyedOptions} [options]
   * @returns {Promise<ReservationView>}
   */
  reserve(body, options) {
    return this.run(newReservation("/v1/reservations", body, options), options);
  }

  /**
   * Take an order: reserve and commit at once. `POST /v1/orders`.
   *
   * `on_shortage="accept"`: a marketplace has sold it already, so what is missing is recorded as a shortage.
   *
   * @param {OrderBody} body
   * @param {KeyedOptions} [options]
   * @returns {Promise<ReservationView>}
   */
  order(body, options) {
    return this.run(newReservation("/v1/orders", body, options), options);
  }

  /**
   * Hold many, each on its own: one result for each, in order. `POST /v1/reservations/batch`.
   *
   * More than one request can have are split. A refusal is a result here, and no exception.
   *
   * @param {ReserveManyBody} body
   * @param {KeyedOptions} [options]
   * @returns {Promise<ReservationResult[]>}
   */
  reserveMany(body, options) {
    const path = "/v1/reservations/batch";
    return resultsInOrder(this.transport, path, "reservations", body.reservations, RESERVATIONS_MAX, options);
  }

  /**
   * Read a reservation. `GET /v1/reservations/{reservation_id}`.
   *
   * @param {string} reservationId
   * @param {CallOptions} [options]
   * @returns {Promise<ReservationView>}
   */
  read(reservationId, options) {
    return this.run(read(atId`/v1/reservations/${reservationId}`), options);
  }

  /**
   * Read a reservation by the id in the body, whatever is in it. `POST /v1/reservations/lookup`.
   *
   * @param {LookupBody} body
   * @param {CallOptions} [options]
   * @returns {Promise<ReservationView>}
   */
  lookUp(body, options) {
    return this.run(readByPost("/v1/reservations/lookup", body), options);
  }

  /**
   * Read a page of the reservations that match. `GET /v1/reservations`.
   *
   * @param {ReservationsReadManyQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<ReservationPage>}
   */
  readMany(query, options) {
    return this.run(read("/v1/reservations", query), options);
  }

  /**
   * Hold for `ttl_s` seconds from now, if that is longer. `POST …/extend`.
   *
   * @param {string} reservationId
   * @param {ExtendBody} body
   * @param {KeyedOptions} [options]
   * @returns {Promise<ReservationView>}
   */
  extend(reservationId, body, options) {
    return this.run(keyed("POST", atId`/v1/reservations/${reservationId}/extend`, body, options), options);
  }

  /**
   * Turn a hold into an order: whole, or the named parts. `POST …/commit`.
   *
   * @param {string} reservationId
   * @param {CommitBody} [body]
   * @param {KeyedOptions} [options]
   * @returns {Promise<ReservationView>}
   */
  commit(reservationId, body = {}, options) {
    return this.run(keyed("POST", atId`/v1/reservations/${reservationId}/commit`, body, options), options);
  }

  /**
   * Let go of what is held: all, or the named parts. `POST …/release`.
   *
   * @param {string} reservationId
   * @param {ReleaseBody} [body]
   * @param {KeyedOptions} [options]
   * @returns {Promise<ReservationView>}
   */
  release(reservationId, body = {}, options) {
    return this.run(keyed("POST", atId`/v1/reservations/${reservationId}/release`, body, options), options);
  }

  /**
   * Cancel what is ordered and not shipped: all, or the named parts. `POST …/cancel`.
   *
   * @param {string} reservationId
   * @param {CancelBody} [body]
   * @param {KeyedOptions} [options]
   * @returns {Promise<ReservationView>}
   */
  cancel(reservationId, body = {}, options) {
    return this.run(keyed("POST", atId`/v1/reservations/${reservationId}/cancel`, body, options), options);
  }

  /**
   * Ship what is ordered: all, or the named parts. `POST …/fulfil`.
   *
   * @param {string} reservationId
   * @param {FulfilBody} [body]
   * @param {KeyedOptions} [options]
   * @returns {Promise<ReservationView>}
   */
  fulfil(reservationId, body = {}, options) {
    return this.run(keyed("POST", atId`/v1/reservations/${reservationId}/fulfil`, body, options), options);
  }

  /**
   * Return shipped units, each part with what becomes of it. `POST …/return`.
   *
   * @param {string} reservationId
   * @param {ReturnBody} body
   * @param {KeyedOptions} [options]
   * @returns {Promise<ReservationView>}
   */
  returnUnits(reservationId, body, options) {
    return this.run(keyed("POST", atId`/v1/reservations/${reservationId}/return`, body, options), options);
  }

  /**
   * Take units back and reserve or order others in their place, in one step. `POST …/exchange`.
   *
   * @param {string} reservationId
   * @param {ExchangeBody} body
   * @param {KeyedOptions} [options]
   * @returns {Promise<ExchangeView>}
   */
  exchange(reservationId, body, options) {
    return this.run(keyed("POST", atId`/v1/reservations/${reservationId}/exchange`, body, options), options);
  }

  /**
   * Change quantities without letting go of what there is, or say what an unknown line is. `POST …/lines`.
   *
   * @param {string} reservationId
   * @param {ChangeLinesBody} body
   * @param {KeyedOptions} [options]
   * @returns {Promise<ReservationView>}
   */
  changeLines(reservationId, body, options) {
    return this.run(keyed("POST", atId`/v1/reservations/${reservationId}/lines`, body, options), options);
  }

  /**
   * Take what is reserved from other locations. `POST …/move`.
   *
   * @param {string} reservationId
   * @param {RelocateBody} body
   * @param {KeyedOptions} [options]
   * @returns {Promise<ReservationView>}
   */
  move(reservationId, body, options) {
    return this.run(keyed("POST", atId`/v1/reservations/${reservationId}/move`, body, options), options);
  }

  /**
   * Read what a reservation lacks, and where else it is. `GET …/shortages`.
   *
   * @param {string} reservationId
   * @param {CallOptions} [options]
   * @returns {Promise<OrderShortageList>}
   */
  shortages(reservationId, options) {
    return this.run(read(atId`/v1/reservations/${reservationId}/shortages`), options);
  }
}

/**
 * Build a new reservation: its own id is its key; without one the header is, and decides the id.
 *
 * @param {string} path
 * @param {ReserveBody | OrderBody} body
 * @param {KeyedOptions | undefined} options
 * @returns {Call<ReservationView>}
 */
function newReservation(path, body, options) {
  const id = body.reservation_id;
  if (id === undefined || id === null) return keyed("POST", path, body, options);
  const again = `call it again with reservation_id ${JSON.stringify(id)} and all else as it was`;
  const findOut = `${again}, or read that reservation`;
  return callOf({ method: "POST", path, repeat: "has_key", body: JSON.stringify(body), key: id, findOut });
}
