/** @typedef {{ body: string, elements: number }} Part */
/**
 * Return bodies whose list `name` has the elements in order, each within the limits.
 *
 * `more` has the other fields, which each of them has. An element that is too large by itself stands alone: the server
 * says so.
 *
 * @param {string} name
 * @param {readonly unknown[]} elements
 * @param {number} elementsMax
 * @param {object} [more]
 * @returns {Part[]}
 */
export function bodies(name: string, elements: readonly unknown[], elementsMax: number, more?: object): Part[];
/**
 * Send a batch, and return one result for each element.
 *
 * Elements that were not processed, or whose outcome is unknown, are tried again with their part: the others in it
 * answer as they did. With the same key and elements the parts are the same, and so are their keys.
 *
 * @template {{ status: number, outcome: string }} R
 * @param {Transport} transport
 * @param {string} path
 * @param {string} name
 * @param {readonly unknown[]} elements
 * @param {number} elementsMax
 * @param {KeyedOptions | undefined} options
 * @returns {Promise<R[]>}
 */
export function resultsInOrder<R extends {
    status: number;
    outcome: string;
}>(transport: Transport, path: string, name: string, elements: readonly unknown[], elementsMax: number, options: KeyedOptions | undefined): Promise<R[]>;
/**
 * Return what is known of an element that was answered twice.
 *
 * @template {{ status: number, outcome: string }} R
 * @param {R} before
 * @param {R} now
 * @returns {R}
 */
export function newer<R extends {
    status: number;
    outcome: string;
}>(before: R, now: R): R;
/**
 * Send a list that has the same effect when it is put again, split by the limits, and return the answers.
 *
 * @template T
 * @param {Transport} transport
 * @param {string} path
 * @param {string} name
 * @param {readonly unknown[]} elements
 * @param {CallOptions | undefined} options
 * @param {object} [more]
 * @returns {Promise<T[]>}
 */
export function put<T>(transport: Transport, path: string, name: string, elements: readonly unknown[], options: CallOptions | undefined, more?: object): Promise<T[]>;
/**
 * Make calls one after the other of which each has the same effect when it is repeated, and return their answers.
 *
 * @template T
 * @param {Transport} transport
 * @param {readonly Call<T>[]} calls
 * @param {CallOptions | undefined} options
 * @returns {Promise<T[]>}
 */
export function pagesInOrder<T>(transport: Transport, calls: readonly Call<T>[], options: CallOptions | undefined): Promise<T[]>;
/**
 * @param {readonly number[]} numbers
 * @returns {number}
 */
export function sum(numbers: readonly number[]): number;
/** @import { Call, CallOptions, KeyedOptions } from "./calls.js" */
/** @import { Transport } from "./transport.js" */
export const BODY_BYTES_MAX: 1048576;
export const RESERVATIONS_MAX: 500;
/** Movements, SKUs, barcodes, listings or rules in one request. */
export const LIST_MAX: 1000;
export type Part = {
    body: string;
    elements: number;
};
import type { Transport } from "./transport.js";
import type { KeyedOptions } from "./calls.js";
import type { CallOptions } from "./calls.js";
import type { Call } from "./calls.js";
