// Written by `python -m clients.generate`; a test compares it with the API.

/** A row that cannot be imported, why, and as it stands in the file. */
export interface BadRowView {
  line: number;
  reason: string;
  row: string;
}

/** What a row changes: what it is about, and the figures before (null: there was nothing) and after. */
export interface ChangeOfFileView {
  line: number;
  change: "changed" | "lowered" | "new" | "raised" | "unchanged" | "zeroed" | (string & {});
  about: Record<string, string>;
  before: Record<string, unknown> | null;
  after: Record<string, unknown>;
}

/** What needs a yes, in one word and in words, and the first lines that have it. */
export interface ConcernView {
  concern: string;
  detail: string;
  lines?: readonly number[];
}

/**
 * An import that is remembered.
 *
 * `state`: `running` also where it was interrupted; `undoing` where some of it was taken back. `rows`: those
 * that had an effect. `where`: the channel of listings, the location that was counted. `is_kept`: whether what it
 * replaced is kept, without which a list cannot be taken back.
 */
export interface ImportView {
  import_id: string;
  kind: string;
  file: string;
  where: string;
  at: string;
  actor: string;
  rows: number;
  state: "done" | "running" | "undoing" | "undone" | (string & {});
  is_kept: boolean;
}

/** A place or an entry that stays as it is, and why. */
export interface NotTakenBack {
  what: string;
  reason: string;
}

/** The query of `POST /v1/files/{kind}`. */
export interface FilesSendQuery {
  dry_run?: boolean | undefined;
  name?: string | undefined;
  yes?: boolean | undefined;
  factor?: number | undefined;
  to_zero?: number | undefined;
  /** A channel of the configuration file. */
  channel?: string | undefined;
  /** A warehouse or store: 1–64 bytes of printable UTF-8. */
  location?: string | undefined;
  baseline_seq?: number | undefined;
  /** When it was counted, with the zone. What moved since is added. */
  counted_at?: string | Date | undefined;
  allow_similar?: boolean | undefined;
  again?: boolean | undefined;
  encoding?: string | undefined;
  sheet?: string | undefined;
  columns?: string | undefined;
  ignore_columns?: string | undefined;
  decimal?: "" | "," | "." | undefined;
  negative?: "refuse" | "zero" | undefined;
  as_written?: boolean | undefined;
}

/** The query of `POST /v1/imports/{import_id}/undo`. */
export interface ImportsUndoQuery {
  dry_run?: boolean | undefined;
  short?: boolean | undefined;
  interrupted?: boolean | undefined;
  /** Why: 1–256 bytes of printable UTF-8; the history keeps it. */
  reason?: string | undefined;
}

/**
 * A file that was looked at, is applied or was applied.
 *
 * `counts`: of the rows, by what they do. The lists have the first of each; `changes_total` and `bad_total` say
 * how many there are. `done`: rows that were applied so far. `token` and `expires_at`: to apply it.
 * `import_id`: by which it is taken back.
 */
export interface FileView {
  kind: string;
  file: string;
  state: "applying" | "done" | "waiting" | (string & {});
  rows: number;
  done?: number;
  counts: Record<string, number>;
  concerns: readonly ConcernView[];
  new_skus: readonly string[];
  new_locations: readonly string[];
  changes: readonly ChangeOfFileView[];
  changes_total: number;
  bad: readonly BadRowView[];
  bad_total: number;
  notes?: readonly string[];
  token?: string;
  expires_at?: string | null;
  import_id?: string;
}

/** The last imports, the newest first. */
export interface ImportList {
  imports: readonly ImportView[];
}

/**
 * What was taken back of an import, or would be where `applied` is false.
 *
 * The lists have the first of each, and `taken_back_total` and `refused_total` say how many there are. `before`:
 * those that were taken back earlier. `stays`: what is never taken back.
 */
export interface UndoneView {
  import_id: string;
  kind: string;
  file: string;
  applied: boolean;
  taken_back: readonly string[];
  taken_back_total: number;
  before: number;
  refused: readonly NotTakenBack[];
  refused_total: number;
  stays: readonly string[];
}
