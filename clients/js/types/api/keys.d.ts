// Written by `python -m clients.generate`; a test compares it with the API.

/**
 * A new key. What is left out is not limited.
 *
 * `channel`: its reservations and orders are of that channel, and any other is refused. `ttl_max_s`: the longest
 * time that it holds units. `requests_per_s`: how many requests it may make in a second, at all servers together.
 * `held_units_max`: how many units it may hold at a time; `customer_units_max`: the same for each
 * `customer_ref`.
 */
export interface KeyBody {
  /** What the key may do. */
  scopes: readonly ("admin" | "availability" | "metrics" | "read" | "reserve" | "reserve:own" | "stock")[];
  /** Who uses it. */
  name?: string | undefined;
  /** Where it is sold: 1–64 bytes of printable UTF-8. */
  channel?: string | null | undefined;
  /** Seconds; at most 24 hours. */
  ttl_max_s?: number | null | undefined;
  /** It opens nothing from then on. */
  expires_at?: string | Date | null | undefined;
  /** Requests in a second. */
  requests_per_s?: number | null | undefined;
  /** Units. */
  held_units_max?: number | null | undefined;
  /** Units. */
  customer_units_max?: number | null | undefined;
}

/** A change of a key: what is left out stays, and null lifts a limit. */
export interface KeyChangeBody {
  /** What the key may do. */
  scopes?: readonly ("admin" | "availability" | "metrics" | "read" | "reserve" | "reserve:own" | "stock")[] | undefined;
  /** Who uses it. */
  name?: string | undefined;
  /** Where it is sold: 1–64 bytes of printable UTF-8. */
  channel?: string | null | undefined;
  /** Seconds; at most 24 hours. */
  ttl_max_s?: number | null | undefined;
  /** It opens nothing from then on. */
  expires_at?: string | Date | null | undefined;
  /** Requests in a second. */
  requests_per_s?: number | null | undefined;
  /** Units. */
  held_units_max?: number | null | undefined;
  /** Units. */
  customer_units_max?: number | null | undefined;
}

/**
 * A key without its secret. `last_used_at`: the hour in which it was used last, null: it never was.
 *
 * `previous_until`: until then, the secret before the last rotation is good, too.
 */
export interface KeyView {
  id: string;
  name: string;
  scopes:
    | readonly ("admin" | "availability" | "metrics" | "read" | "reserve" | "reserve:own" | "stock" | (string & {}))[];
  state: "expired" | "open" | "revoked" | (string & {});
  created_at: string | null;
  channel: string | null;
  ttl_max_s: number | null;
  expires_at: string | null;
  requests_per_s: number | null;
  held_units_max: number | null;
  customer_units_max: number | null;
  last_used_at: string | null;
  previous_until: string | null;
  revoked_at: string | null;
}

/** A new secret. `previous_until`: the one before is good until then; left out: for a day. */
export interface KeyRotationBody {
  previous_until?: string | Date | null | undefined;
}

/** The keys of a partition, the oldest first, revoked ones too. */
export interface KeyList {
  keys: readonly KeyView[];
}

/** A key, and the token to send with it: this is the only time that it is shown. */
export interface NewKeyView {
  token: string;
  key: KeyView;
}
