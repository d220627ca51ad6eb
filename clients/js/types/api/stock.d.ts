// Written by `python -m clients.generate`; a test compares it with the API.

import type { AllocationView, ExpectedReceiptView, IndexView, TransferView } from "./common.js";
import type { Problem } from "./problems.js";

/** A bucket is off by so many units, for a reason. With a barcode instead of a SKU, `quantity` counts packs. */
export interface AdjustMovement {
  kind: "adjust";
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | null | undefined;
  /** Units; negative: fewer. */
  quantity: number;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  reason: string;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. Without it: "main". */
  location?: string | undefined;
  /** Without it: "on_hand". */
  bucket?: "damaged" | "on_hand" | "quality_control" | "safety" | undefined;
  /** What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \u001d. */
  barcode?: string | undefined;
}

/** How many units may be waited for at a time, and how many are now. `promise_on`: the day that callers see. */
export interface BackorderView {
  mode: "backorder" | "preorder" | (string & {});
  limit: number;
  waiting: number;
  promise_on?: string;
}

/** What one barcode stands for: `factor` units of a SKU, 12 for a carton of twelve. */
export interface BarcodeBody {
  /** What a scanner reads: 1–64 bytes of printable UTF-8. */
  barcode: string;
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku: string;
  /** Units of one pack. Without it: 1. */
  factor?: number | undefined;
}

/** A barcode that stands for nothing now, and what it stood for. */
export interface BarcodeRemoved {
  barcode: string;
  sku: string;
  factor: number;
}

/**
 * What a GS1 label says: `count` articles in a carton or pallet, its SSCC, lot, serial number, dates and weight.
 *
 * `elements`: every application identifier with its value, as on the label. None of it is kept with the stock.
 */
export interface LabelView {
  gtin: string;
  elements: Record<string, string>;
  count?: number;
  sscc?: string;
  lot?: string;
  serial?: string;
  produced_on?: string | null;
  best_before?: string | null;
  expires_on?: string | null;
  net_weight_kg?: string | null;
}

/** How many barcodes were put. */
export interface BarcodesPut {
  barcodes: number;
}

/**
 * Set on_hand as counted. `baseline_seq`: the seq seen when the count began; what moved since is kept.
 *
 * `counted_at` is the same as a time, for a count that is sent later than it was made.
 */
export interface CountBody {
  /** Units. */
  on_hand: number;
  baseline_seq?: number | null | undefined;
  /** Units. */
  safety?: number | null | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  reason?: string | null | undefined;
  /** When it was counted, with the zone. What moved since is added. */
  counted_at?: string | Date | undefined;
  /** True: new names are meant, even if known ones are like them. */
  allow_similar?: boolean | undefined;
}

/** Somebody counted. With a barcode instead of a SKU, `on_hand` counts packs. */
export interface CountMovement {
  kind: "count";
  /** Units. */
  on_hand: number;
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | null | undefined;
  /** What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \u001d. */
  barcode?: string | null | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. Without it: "main". */
  location?: string | undefined;
  baseline_seq?: number | null | undefined;
  /** Units. */
  safety?: number | null | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  reason?: string | null | undefined;
  /** When it was counted, with the zone. What moved since is added. */
  counted_at?: string | Date | undefined;
  /** True: new names are meant, even if known ones are like them. */
  allow_similar?: boolean | undefined;
}

/** A reservation that keeps units from being sold. */
export interface HolderView {
  reservation_id: string;
  channel: string;
  line: number;
  location: string;
  state: string;
  held: number;
  committed: number;
  expires_at: string | null;
}

/** Units that left one location and have not reached the other; no location counts them. */
export interface InTransitView {
  transfer_id: string;
  from: string;
  to: string;
  quantity: number;
  shipped_at: string;
}

/** Units are put from one bucket into another. With a barcode instead of a SKU, `quantity` counts packs. */
export interface MoveMovement {
  kind: "move";
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | null | undefined;
  /** Units. */
  quantity: number;
  from: "available" | "damaged" | "quality_control";
  to: "available" | "damaged" | "quality_control";
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  reason: string;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. Without it: "main". */
  location?: string | undefined;
  /** What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \u001d. */
  barcode?: string | undefined;
}

/** The buckets of one (SKU, location) after a movement; what is `set_aside` for channels, if anything. */
export interface MovedView {
  sku: string;
  location: string;
  available: number;
  on_hand: number;
  held: number;
  committed: number;
  damaged: number;
  quality_control: number;
  safety: number;
  seq: number;
  set_aside?: number;
}

/**
 * Units arrived. With a barcode instead of a SKU, `quantity` counts packs.
 *
 * `supply_id`: they were expected; without a location they arrived where they were expected, else at main.
 */
export interface ReceiveMovement {
  kind: "receive";
  /** Units. */
  quantity: number;
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | null | undefined;
  /** What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \u001d. */
  barcode?: string | null | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | null | undefined;
  /** Yours, 1–64 bytes of printable UTF-8; also the key that makes a retry safe. */
  supply_id?: string | null | undefined;
  /** 1–256 bytes of printable UTF-8, kept as it is. */
  reason?: string | null | undefined;
  /** True: new names are meant, even if known ones are like them. */
  allow_similar?: boolean | undefined;
}

/** A barcode as it is registered, and how many units one scan of it counts. */
export interface PackView {
  barcode: string;
  factor: number;
}

/** The query of `GET /v1/stock/{sku}`. */
export interface StockReadQuery {
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | undefined;
}

/** The query of `DELETE /v1/barcodes/{barcode}`. */
export interface BarcodesRemoveQuery {
  /** Why: 1–256 bytes of printable UTF-8; the history keeps it. */
  reason?: string | undefined;
}

/** The query of `GET /v1/skus/{sku}/barcodes`. */
export interface BarcodesReadOfSkuQuery {
  after?: string | undefined;
  limit?: number | undefined;
}

/** Every bucket of one (SKU, location), and how available follows from them; at a `closed` one nothing is. */
export interface LevelView {
  location: string;
  available: number;
  on_hand: number;
  held: number;
  committed: number;
  damaged: number;
  quality_control: number;
  safety: number;
  seq: number;
  because: string;
  set_aside?: number;
  allocations?: readonly AllocationView[];
  backorder?: BackorderView | null;
  closed?: boolean;
}

/** Up to 1,000 barcodes; what was said of them before is replaced. */
export interface BarcodesBody {
  barcodes: readonly BarcodeBody[];
  /** Why: 1–256 bytes of printable UTF-8; the history keeps it. */
  reason?: string | undefined;
}

/** What a barcode stands for: so many units of a SKU. `barcode`: as it is registered. */
export interface BarcodeView {
  barcode: string;
  sku: string;
  factor: number;
  label?: LabelView | null;
}

/** Up to 1,000 movements, each on its own, in order. */
export interface MovementsBody {
  movements: readonly (ReceiveMovement | AdjustMovement | CountMovement | MoveMovement)[];
}

/** The barcodes of a SKU, in their order; `next` is the `after` of the next page, empty on the last. */
export interface SkuBarcodes {
  sku: string;
  barcodes: readonly PackView[];
  next: string;
  index: IndexView;
}

/** Why the number is what it is: buckets by location, and who holds how much until when. */
export interface StockView {
  sku: string;
  available: number;
  seq: number;
  levels: readonly LevelView[];
  holders: readonly HolderView[];
  holders_complete: boolean;
  in_transit: readonly InTransitView[];
  as_of: string;
}

/** One result of a list of movements. */
export interface MovementResult {
  status: number;
  outcome: string;
  replayed?: boolean;
  stock?: MovedView | null;
  problem?: Problem | null;
}

/** What is still to come in a parcel: expected receipts, and the transfer whose id is the number of the parcel. */
export interface ParcelView {
  sscc: string;
  supply: readonly ExpectedReceiptView[];
  transfer?: TransferView | null;
}

/** In the order of the request. */
export interface MovementResults {
  results: readonly MovementResult[];
}
