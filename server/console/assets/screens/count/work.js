// What is being counted or received. It is kept in this window, so that a page that is read anew goes on with it.

import { newKey } from "../../lib/api.js";
import { value } from "../../lib/value.js";

const NAME = "holdfast-count";

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(NAME));
  } catch {
    return null;
  }
}

/**
 * {mode, partition, location, rows, sending, key}; null: nothing. `rows`, the newest scan first, are of one SKU each:
 * {sku, names, counted, damaged, expected, baseline_seq, counted_at}, and where they came back {problem, asks,
 * isMeant}. `sending`: what was approved and is not all answered: {by, steps, notes}, `by` whom; a step is {path,
 * body, key, rows} and may be sent again without a second effect. `key`: of what is sent next.
 */
export const work = value(read());

export function setWork(next) {
  work.set(next);
  try {
    if (next) sessionStorage.setItem(NAME, JSON.stringify(next));
    else sessionStorage.removeItem(NAME);
  } catch {
    // A browser that keeps nothing forgets it when the page is read anew.
  }
}

/**
 * Makes the keys of what is sent: those of one count are the same in a window that was doubled with it, so that what
 * is approved in both is booked once.
 */
export function stepKeys({ key = newKey() }) {
  let count = 0;
  return () => `${key}-${++count}`;
}

/** Whether what was being counted when somebody began to ask still is: they may have left it meanwhile. */
export const goesOn = ({ mode, partition, location }) => work.now?.mode === mode && work.now.partition === partition
  && work.now.location === location;

/** Changes the row of a SKU, which becomes the first where it is new. `change` gets the row and returns another. */
export function changeRow(sku, change) {
  const { rows } = work.now;
  const next = rows.map((row) => (row.sku === sku ? change(row) : row));
  setWork({ ...work.now, rows: next });
}

export const dropRow = (sku) => setWork({ ...work.now, rows: work.now.rows.filter((row) => row.sku !== sku) });

/** Puts rows back that were not booked, with what they say; those of one SKU become one. */
export function withRows(rows, returned) {
  const found = new Map(rows.map((row) => [row.sku, row]));
  for (const row of returned) {
    const before = found.get(row.sku);
    found.set(row.sku, before ? { ...row, counted: before.counted + row.counted, damaged: before.damaged + row.damaged }
      : row);
  }
  return [...found.values()];
}
