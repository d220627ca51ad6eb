// Written by `python -m clients.generate`; a test compares it with the API.

import type { ExpectedReceiptView, TransferView } from "./common.js";

/** Units of one line of a transfer that arrived, and what becomes of them. */
export interface ArrivedBody {
  /** The line's place, counted from 1. */
  line: number;
  /** Units. */
  quantity: number;
  /** Without it: "restock". */
  disposition?: "damaged" | "quality_control" | "restock" | undefined;
}

/** So many units may be waited for at a time; 0: none from now on. `promise_on`: the day that callers see. */
export interface BackorderBody {
  mode: "backorder" | "preorder";
  /** Units. */
  limit: number;
  /** A day, such as 2026-12-01, in the partition's time zone. */
  promise_on?: string | null | undefined;
  /** True: new names are meant, even if known ones are like them. */
  allow_similar?: boolean | undefined;
}

/** A line that waits for `backordered` units. `promise_on`: the delivery day that was given, if any. */
export interface WaitingLineView {
  sku: string;
  location: string;
  reservation_id: string;
  line: number;
  channel: string;
  vip: boolean;
  state: "backordered" | "cancelled" | "committed" | "expired" | "fulfilled" | "held" | "released" | (string & {});
  quantity: number;
  backordered: number;
  mode: string;
  created_at: string;
  promise_on?: string;
  expires_at?: string | null;
  order_ref?: string;
  customer_ref?: string;
}

/** What holds for new reservations of a SKU at a location, and how many units are waited for now. */
export interface BackorderSetView {
  sku: string;
  location: string;
  mode: "backorder" | "preorder" | (string & {});
  limit: number;
  waiting: number;
  available: number;
  seq: number;
  promise_on?: string;
}

/** The transfer never left. */
export interface CancelTransferBody {
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  reason?: string | null | undefined;
}

/**
 * So many units in all are to come, on that day; what was received of them stays received.
 *
 * With a barcode instead of a SKU, `quantity` counts packs. `sscc`: the number of the parcel in which it comes.
 */
export interface ExpectedReceiptBody {
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | null | undefined;
  /** Units. */
  quantity: number;
  /** A day, such as 2026-12-01, in the partition's time zone. */
  expected_on: string;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. Without it: "main". */
  location?: string | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  reference?: string | null | undefined;
  /** True: new names are meant, even if known ones are like them. */
  allow_similar?: boolean | undefined;
  /** What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \u001d. */
  barcode?: string | undefined;
  /** What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \u001d. */
  sscc?: string | undefined;
}

/** Units of one SKU that are sent. With a barcode instead of a SKU, `quantity` counts packs. */
export interface TransferLineBody {
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | null | undefined;
  /** Units. */
  quantity: number;
  /** What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \u001d. */
  barcode?: string | undefined;
}

/** The query of `GET /v1/transfers`. */
export interface TransfersReadManyQuery {
  after?: string | undefined;
  limit?: number | undefined;
}

/** The query of `GET /v1/supply`. */
export interface SupplyReadManyQuery {
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | undefined;
  after?: string | undefined;
  limit?: number | undefined;
}

/** The query of `GET /v1/backorders`. */
export interface BackordersReadQuery {
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | undefined;
  after?: string | undefined;
  limit?: number | undefined;
}

/** What arrived; without lines: everything. `close`: the rest never will, for this reason. */
export interface ArriveBody {
  lines?: readonly ArrivedBody[] | null | undefined;
  close?: boolean | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  reason?: string | null | undefined;
}

/**
 * Lines that wait, by SKU and location, there in the order in which they are filled.
 *
 * `next` is the `after` of the next page, empty on the last.
 */
export interface BackorderPage {
  backorders: readonly WaitingLineView[];
  next: string;
}

/**
 * What is still to come: of one SKU the earliest first, of all in no order.
 *
 * `next` is the `after` of the next page, empty on the last.
 */
export interface ExpectedReceiptList {
  supply: readonly ExpectedReceiptView[];
  as_of: string;
  next: string;
}

/** Send units from one location to another. `transfer_id` is yours, and makes a retry safe. */
export interface ShipBody {
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  from: string;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  to: string;
  lines: readonly TransferLineBody[];
  /** Yours, 1–64 bytes of printable UTF-8; also the key that makes a retry safe. */
  transfer_id?: string | null | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  reason?: string | null | undefined;
  /** True: new names are meant, even if known ones are like them. */
  allow_similar?: boolean | undefined;
}

/** Transfers that are on their way; `next` is the `after` of the next page, empty on the last. */
export interface TransferPageView {
  transfers: readonly TransferView[];
  next: string;
}
