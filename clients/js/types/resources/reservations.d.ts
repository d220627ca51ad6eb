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
    reserve(body: ReserveBody, options?: KeyedOptions): Promise<ReservationView>;
    /**
     * Take an order: reserve and commit at once. `POST /v1/orders`.
     *
     * `on_shortage="accept"`: a marketplace has sold it already, so what is missing is recorded as a shortage.
     *
     * @param {OrderBody} body
     * @param {KeyedOptions} [options]
     * @returns {Promise<ReservationView>}
     */
    order(body: OrderBody, options?: KeyedOptions): Promise<ReservationView>;
    /**
     * Hold many, each on its own: one result for each, in order. `POST /v1/reservations/batch`.
     *
     * More than one request can have are split. A refusal is a result here, and no exception.
     *
     * @param {ReserveManyBody} body
     * @param {KeyedOptions} [options]
     * @returns {Promise<ReservationResult[]>}
     */
    reserveMany(body: ReserveManyBody, options?: KeyedOptions): Promise<ReservationResult[]>;
    /**
     * Read a reservation. `GET /v1/reservations/{reservation_id}`.
     *
     * @param {string} reservationId
     * @param {CallOptions} [options]
     * @returns {Promise<ReservationView>}
     */
    read(reservationId: string, options?: CallOptions): Promise<ReservationView>;
    /**
     * Read a reservation by the id in the body, whatever is in it. `POST /v1/reservations/lookup`.
     *
     * @param {LookupBody} body
     * @param {CallOptions} [options]
     * @returns {Promise<ReservationView>}
     */
    lookUp(body: LookupBody, options?: CallOptions): Promise<ReservationView>;
    /**
     * Read a page of the reservations that match. `GET /v1/reservations`.
     *
     * @param {ReservationsReadManyQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<ReservationPage>}
     */
    readMany(query?: ReservationsReadManyQuery, options?: CallOptions): Promise<ReservationPage>;
    /**
     * Hold for `ttl_s` seconds from now, if that is longer. `POST …/extend`.
     *
     * @param {string} reservationId
     * @param {ExtendBody} body
     * @param {KeyedOptions} [options]
     * @returns {Promise<ReservationView>}
     */
    extend(reservationId: string, body: ExtendBody, options?: KeyedOptions): Promise<ReservationView>;
    /**
     * Turn a hold into an order: whole, or the named parts. `POST …/commit`.
     *
     * @param {string} reservationId
     * @param {CommitBody} [body]
     * @param {KeyedOptions} [options]
     * @returns {Promise<ReservationView>}
     */
    commit(reservationId: string, body?: CommitBody, options?: KeyedOptions): Promise<ReservationView>;
    /**
     * Let go of what is held: all, or the named parts. `POST …/release`.
     *
     * @param {string} reservationId
     * @param {ReleaseBody} [body]
     * @param {KeyedOptions} [options]
     * @returns {Promise<ReservationView>}
     */
    release(reservationId: string, body?: ReleaseBody, options?: KeyedOptions): Promise<ReservationView>;
    /**
     * Cancel what is ordered and not shipped: all, or the named parts. `POST …/cancel`.
     *
     * @param {string} reservationId
     * @param {CancelBody} [body]
     * @param {KeyedOptions} [options]
     * @returns {Promise<ReservationView>}
     */
    cancel(reservationId: string, body?: CancelBody, options?: KeyedOptions): Promise<ReservationView>;
    /**
     * Ship what is ordered: all, or the named parts. `POST …/fulfil`.
     *
     * @param {string} reservationId
     * @param {FulfilBody} [body]
     * @param {KeyedOptions} [options]
     * @returns {Promise<ReservationView>}
     */
    fulfil(reservationId: string, body?: FulfilBody, options?: KeyedOptions): Promise<ReservationView>;
    /**
     * Return shipped units, each part with what becomes of it. `POST …/return`.
     *
     * @param {string} reservationId
     * @param {ReturnBody} body
     * @param {KeyedOptions} [options]
     * @returns {Promise<ReservationView>}
     */
    returnUnits(reservationId: string, body: ReturnBody, options?: KeyedOptions): Promise<ReservationView>;
    /**
     * Take units back and reserve or order others in their place, in one step. `POST …/exchange`.
     *
     * @param {string} reservationId
     * @param {ExchangeBody} body
     * @param {KeyedOptions} [options]
     * @returns {Promise<ExchangeView>}
     */
    exchange(reservationId: string, body: ExchangeBody, options?: KeyedOptions): Promise<ExchangeView>;
    /**
     * Change quantities without letting go of what there is, or say what an unknown line is. `POST …/lines`.
     *
     * @param {string} reservationId
     * @param {ChangeLinesBody} body
     * @param {KeyedOptions} [options]
     * @returns {Promise<ReservationView>}
     */
    changeLines(reservationId: string, body: ChangeLinesBody, options?: KeyedOptions): Promise<ReservationView>;
    /**
     * Take what is reserved from other locations. `POST …/move`.
     *
     * @param {string} reservationId
     * @param {RelocateBody} body
     * @param {KeyedOptions} [options]
     * @returns {Promise<ReservationView>}
     */
    move(reservationId: string, body: RelocateBody, options?: KeyedOptions): Promise<ReservationView>;
    /**
     * Read what a reservation lacks, and where else it is. `GET …/shortages`.
     *
     * @param {string} reservationId
     * @param {CallOptions} [options]
     * @returns {Promise<OrderShortageList>}
     */
    shortages(reservationId: string, options?: CallOptions): Promise<OrderShortageList>;
}
import { Resource } from "../resource.js";
import type { ReserveBody } from "../../types/api/index.js";
import type { KeyedOptions } from "../calls.js";
import type { ReservationView } from "../../types/api/index.js";
import type { OrderBody } from "../../types/api/index.js";
import type { ReserveManyBody } from "../../types/api/index.js";
import type { ReservationResult } from "../../types/api/index.js";
import type { CallOptions } from "../calls.js";
import type { LookupBody } from "../../types/api/index.js";
import type { ReservationsReadManyQuery } from "../../types/api/index.js";
import type { ReservationPage } from "../../types/api/index.js";
import type { ExtendBody } from "../../types/api/index.js";
import type { CommitBody } from "../../types/api/index.js";
import type { ReleaseBody } from "../../types/api/index.js";
import type { CancelBody } from "../../types/api/index.js";
import type { FulfilBody } from "../../types/api/index.js";
import type { ReturnBody } from "../../types/api/index.js";
import type { ExchangeBody } from "../../types/api/index.js";
import type { ExchangeView } from "../../types/api/index.js";
import type { ChangeLinesBody } from "../../types/api/index.js";
import type { RelocateBody } from "../../types/api/index.js";
import type { OrderShortageList } from "../../types/api/index.js";
