// Files as merchants have them: looked at, applied, and taken back.

import { at, queryOf, read, sets } from "../calls.js";
import { Resource } from "../resource.js";

/** @import { Call, CallOptions } from "../calls.js" */
/** @import { FilesSendQuery, FileView, ImportList, ImportsUndoQuery, UndoneView } from "../../types/api/index.js" */

/** Files that change stock or lists. */
export class Files extends Resource {
  /**
   * Look at a file: what it would change, and a token that applies it. `POST /v1/files/{kind}`.
   *
   * With `dry_run: false` it is applied at once, and not sent again after a lost answer. Look first, and
   * `apply`: that can be repeated.
   *
   * @param {string} kind
   * @param {Uint8Array | string} file
   * @param {FilesSendQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<FileView>}
   */
  send(kind, file, query, options) {
    const sent = sets("POST", at`/v1/files/${kind}` + queryOf(query), "");
    const applies = query?.dry_run === false;
    /** @type {Call<FileView>} */
    const call = {
      ...sent,
      body: file,
      contentType: "application/octet-stream",
      repeat: applies ? "adds" : "reads",
      findOut: applies ? "read the imports; if the file is listed, it was applied" : sent.findOut,
    };
    return this.run(call, options);
  }

  /**
   * Apply a file that was looked at, once. `POST /v1/files/{kind}/{token}`.
   *
   * @param {string} kind
   * @param {string} token
   * @param {CallOptions} [options]
   * @returns {Promise<FileView>}
   */
  apply(kind, token, options) {
    return this.run(sets("POST", at`/v1/files/${kind}/${token}`), options);
  }

  /**
   * Read how far a file is. `GET /v1/files/{kind}/{token}`.
   *
   * @param {string} kind
   * @param {string} token
   * @param {CallOptions} [options]
   * @returns {Promise<FileView>}
   */
  read(kind, token, options) {
    return this.run(read(at`/v1/files/${kind}/${token}`), options);
  }

  /**
   * Read the bad rows as a file to correct. `GET /v1/files/{kind}/{token}/bad`.
   *
   * @param {string} kind
   * @param {string} token
   * @param {CallOptions} [options]
   * @returns {Promise<Uint8Array>}
   */
  readBad(kind, token, options) {
    return this.run({ ...read(at`/v1/files/${kind}/${token}/bad`), raw: true }, options);
  }
}

/** Files that were applied. */
export class Imports extends Resource {
  /**
   * Read the last imports. `GET /v1/imports`.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<ImportList>}
   */
  readMany(options) {
    return this.run(read("/v1/imports"), options);
  }

  /**
   * Take an import back, or look at what would come of it. `POST /v1/imports/{import_id}/undo`.
   *
   * @param {string} importId
   * @param {ImportsUndoQuery} [query]
   * @param {CallOptions} [options]
   * @returns {Promise<UndoneView>}
   */
  undo(importId, query, options) {
    return this.run(sets("POST", at`/v1/imports/${importId}/undo` + queryOf(query)), options);
  }
}
