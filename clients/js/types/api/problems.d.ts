// Written by `python -m clients.generate`; a test compares it with the API.

/** A field that breaks a rule. */
export interface FieldProblem {
  field: string;
  rule: string;
}

/** What was asked of one line, and what there was; `similar`: the known name that one of its names is like. */
export interface LineProblem {
  line: number;
  sku: string;
  location: string;
  requested: number;
  available: number;
  similar?: string;
}

/** A quota that has no room: of the key, or of one customer of it; how many units it holds, and may. */
export interface QuotaProblem {
  of: "customer" | "key" | (string & {});
  used: number;
  limit: number;
  requested: number;
}

/**
 * An RFC 9457 problem. `outcome` is what programs should look at; `retryable`: the same may succeed later.
 *
 * `half`: of an exchange, the field of the body that could not be. `request_id`: as in the header X-Request-Id,
 * and in the log.
 */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  outcome: string;
  retryable: boolean;
  errors?: readonly FieldProblem[];
  lines?: readonly LineProblem[];
  state?: string;
  reservation_id?: string;
  half?: "" | "order" | "reservation" | "return" | (string & {});
  quota?: QuotaProblem | null;
  request_id?: string;
}
