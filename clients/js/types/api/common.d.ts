// Written by `python -m clients.generate`; a test compares it with the API.

/** The allocation of a channel; `used` of the `units` are reserved. `available`: what it can still reserve. */
export interface AllocationView {
  channel: string;
  kind: "cap" | "own" | (string & {});
  units: number;
  used: number;
  available: number;
}

/** What can still be reserved at one location. */
export interface LocationAvailable {
  location: string;
  available: number;
}

/** What can still be reserved of a SKU at a location; negative is a shortage. Newer seq wins. */
export interface AvailableView {
  sku: string;
  location: string;
  available: number;
  seq: number;
}

/**
 * A line as the channel wrote it: pieces of what it lists under `key`, and the numbers of their `lines`.
 *
 * `cancelled` and `returned`: pieces that were released or cancelled, or returned, by this key.
 */
export interface ChannelLineView {
  key: string;
  quantity: number;
  lines: readonly number[];
  cancelled?: number;
  returned?: number;
}

/** Units of one SKU in each piece of a bundle. */
export interface ComponentBody {
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku: string;
  /** Units of the SKU in each piece that the channel sells. Without it: 1. */
  quantity?: number | undefined;
}

/** Units of one SKU in each piece of a bundle. */
export interface ComponentView {
  sku: string;
  quantity: number;
}

/**
 * An expected receipt. `expected` units are still to come; more may be `received` than `quantity`.
 *
 * `sscc`: the parcel in which it was announced, left out where it was not.
 */
export interface ExpectedReceiptView {
  supply_id: string;
  sku: string;
  location: string;
  quantity: number;
  received: number;
  expected: number;
  expected_on: string;
  reference: string;
  sscc?: string;
}

/**
 * Units of one SKU at one location. Without one, they are taken from where units are, or as `sourcing` says.
 *
 * `key` in place of `sku`: so many pieces of what the channel lists under it. `barcode`: so many packs.
 */
export interface LineBody {
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | undefined;
  /** Units. */
  quantity: number;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. Without it: "main". */
  location?: string | undefined;
  /** The SKU's name on the channel: 1–256 bytes of printable UTF-8. */
  key?: string | undefined;
  /** What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \u001d. */
  barcode?: string | undefined;
}

/**
 * How old the index is: all changes up to `as_of` and `seq` are in it. The numbers beside it are of now.
 *
 * `complete` False: it is still being filled with what was there before.
 */
export interface IndexView {
  as_of: string;
  seq: number;
  complete: boolean;
}

/**
 * One line of a reservation. quantity = held + committed + fulfilled + released + expired + backordered.
 *
 * `backordered`, `mode` and `promise_on` are there where the line had to wait for units: how many of them are
 * not there yet, and what was shown when it was reserved (`promise_on`: the day, if one was). A line without a
 * location counts in no stock: its `mode` is untracked, or unmapped until its SKU is known. `text` is what the
 * channel wrote in place of the SKU, where the line was mapped.
 */
export interface LineView {
  line: number;
  sku: string;
  location: string;
  quantity: number;
  requested: number;
  held: number;
  committed: number;
  fulfilled: number;
  released: number;
  expired: number;
  returned: number;
  backordered?: number;
  mode?: string;
  promise_on?: string;
  text?: string;
}

/** A quantity that the channel does not take, with its own code and reason. */
export interface RefusedView {
  quantity: number;
  code: string;
  reason: string;
  attempts: number;
  last_at: string;
}

/** A position on the earth, in degrees. */
export interface PositionBody {
  /** Degrees north of the equator. */
  lat: number;
  /** Degrees east of Greenwich. */
  lon: number;
}

/** A position on the earth, in degrees. */
export interface PositionView {
  lat: number;
  lon: number;
}

/** The lines that commit or fulfil can still take from elsewhere, within the group; without one: from anywhere. */
export interface OpenView {
  lines: readonly number[];
  group?: string;
}

/** `to`: the new name. */
export interface RenameBody {
  /** What is sold: 1–128 bytes of printable UTF-8. */
  to: string;
  /** True: new names are meant, even if known ones are like them. */
  allow_similar?: boolean | undefined;
  /** Why: 1–256 bytes of printable UTF-8; the history keeps it. */
  reason?: string | undefined;
}

/** A change of the time zone. The days from `first` to `last` are longer or shorter than others for it. */
export interface SeamView {
  at: string;
  before: string;
  after: string;
  first: string;
  last: string;
}

/** One SKU of a transfer. quantity = received + lost + in_transit + cancelled. */
export interface TransferLineView {
  line: number;
  sku: string;
  quantity: number;
  received: number;
  lost: number;
  in_transit: number;
  cancelled?: number;
}

/**
 * A line of an order's reservation that lacks units now, and where else they are.
 *
 * `other_locations`: as of :class:`ShortLineView`. `certain` false: there were too many reservations to look at
 * all, so another order may be the one that lacks them.
 */
export interface OrderShortageView {
  reservation_id: string;
  line: number;
  sku: string;
  location: string;
  lacks: number;
  other_locations: readonly LocationAvailable[] | null;
  certain: boolean;
}

/**
 * A SKU as the channel knows it. `listed` false: 0 is published. Prices left out are not published.
 *
 * With `factor` it is a further listing of the SKU, known by its key: a pack of so many. With `components` in
 * place of the SKU it is a bundle, known by its key as well.
 */
export interface ListingBody {
  /** The SKU's name on the channel: 1–256 bytes of printable UTF-8. */
  key: string;
  /** What is sold: 1–128 bytes of printable UTF-8. */
  sku?: string | undefined;
  /** Units of the SKU in each piece that the channel sells. */
  factor?: number | undefined;
  /** What one piece of a bundle is made of. */
  components?: readonly ComponentBody[] | undefined;
  /** Without it: true. */
  listed?: boolean | undefined;
  /** Decimal text with at most 4 decimals, such as 129.90; more than 0. */
  price?: string | null | undefined;
  /** Decimal text with at most 4 decimals, such as 129.90; more than 0. */
  list_price?: string | null | undefined;
  /** ISO 4217, such as TRY. */
  currency?: string | null | undefined;
  attributes?: Record<string, string> | undefined;
}

/**
 * A listing, the quantity that the channel confirmed last (`shown`), and the one that it `should_show`.
 *
 * `why` says how that number comes about; null: there was no room to work it out. `pending`: the channel has not
 * confirmed it. `refused`: it does not take it.
 */
export interface ListingStandingView {
  sku: string;
  key: string;
  listed: boolean;
  price?: string;
  list_price?: string;
  currency?: string;
  attributes?: Record<string, string>;
  factor?: number;
  components?: readonly ComponentView[];
  state: "pending" | "refused" | "shown" | "unlisted" | (string & {});
  shown: number | null;
  should_show: number | null;
  why: string;
  confirmed_at: string | null;
  pending: boolean;
  refused: RefusedView | null;
}

/**
 * Choose where to take the lines that name no location; each strategy breaks the ties of those before it.
 *
 * `position`: where it is to be delivered, which `nearest` needs. `splits_max`: locations beyond the first.
 * `split_lines`: units of one line may come from several of them, where no location has all. `binding` late: those
 * lines stay open, and commit or fulfil can say where they are to be taken from.
 */
export interface SourcingBody {
  strategy:
    | "lowest_footfall"
    | "most_stock"
    | "nearest"
    | "priority"
    | readonly ("lowest_footfall" | "most_stock" | "nearest" | "priority")[];
  /** Locations that belong together: 1–64 bytes of printable UTF-8. */
  group?: string | null | undefined;
  position?: PositionBody | null | undefined;
  /** Without it: 1. */
  splits_max?: number | undefined;
  split_lines?: boolean | undefined;
  binding?: "early" | "late" | undefined;
}

/**
 * A reservation. `expires_at` is there while something is held, or waited for to be held.
 *
 * `state` backordered: it has nothing but units that are not there yet. `open`: some line waits for an address.
 * `channel_lines`: what was ordered by the channel's keys. `unconfigured_channel` is there where it is read, other
 * channels are configured, and this one is neither configured nor named in the setting `HOLDFAST_OTHER_CHANNELS`.
 */
export interface ReservationView {
  reservation_id: string;
  state: "backordered" | "cancelled" | "committed" | "expired" | "fulfilled" | "held" | "released" | (string & {});
  channel: string;
  created_at: string;
  lines: readonly LineView[];
  expires_at?: string | null;
  order_ref?: string;
  customer_ref?: string;
  flags?: readonly string[];
  notes?: Record<string, string>;
  availability?: readonly AvailableView[];
  open?: OpenView | null;
  channel_lines?: readonly ChannelLineView[];
  unconfigured_channel?: boolean;
}

/** Units sent from one location to another. `closed_at` is there when nothing is on its way any more. */
export interface TransferView {
  transfer_id: string;
  state: "cancelled" | "closed" | "in_transit" | (string & {});
  from: string;
  to: string;
  shipped_at: string;
  lines: readonly TransferLineView[];
  closed_at?: string | null;
  reason?: string;
  lost_reason?: string;
  cancel_reason?: string;
  availability?: readonly AvailableView[];
}

/** Up to 1,000 listings, to be added or to replace those of the same SKUs, packs and bundles those of their key. */
export interface ListingsBody {
  listings: readonly ListingBody[];
}

/**
 * What a channel shows of a SKU. No `listings`: it is not on the channel. `complete` False: there are more.
 *
 * `publisher_missing`: nothing is sent to it now.
 */
export interface OnChannelView {
  channel: string;
  kind: string;
  publisher_missing: boolean;
  listings: readonly ListingStandingView[];
  complete: boolean;
}
