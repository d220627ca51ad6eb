// Written by `python -m clients.generate`; a test compares it with the API.

/** The query of `GET /v1/changes`. */
export interface ChangesStreamQuery {
  after?: string | undefined;
  /** Milliseconds. */
  gather_ms?: number | undefined;
  access_token?: string | undefined;
}
