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
    send(kind: string, file: Uint8Array | string, query?: FilesSendQuery, options?: CallOptions): Promise<FileView>;
    /**
     * Apply a file that was looked at, once. `POST /v1/files/{kind}/{token}`.
     *
     * @param {string} kind
     * @param {string} token
     * @param {CallOptions} [options]
     * @returns {Promise<FileView>}
     */
    apply(kind: string, token: string, options?: CallOptions): Promise<FileView>;
    /**
     * Read how far a file is. `GET /v1/files/{kind}/{token}`.
     *
     * @param {string} kind
     * @param {string} token
     * @param {CallOptions} [options]
     * @returns {Promise<FileView>}
     */
    read(kind: string, token: string, options?: CallOptions): Promise<FileView>;
    /**
     * Read the bad rows as a file to correct. `GET /v1/files/{kind}/{token}/bad`.
     *
     * @param {string} kind
     * @param {string} token
     * @param {CallOptions} [options]
     * @returns {Promise<Uint8Array>}
     */
    readBad(kind: string, token: string, options?: CallOptions): Promise<Uint8Array>;
}
/** Files that were applied. */
export class Imports extends Resource {
    /**
     * Read the last imports. `GET /v1/imports`.
     *
     * @param {CallOptions} [options]
     * @returns {Promise<ImportList>}
     */
    readMany(options?: CallOptions): Promise<ImportList>;
    /**
     * Take an import back, or look at what would come of it. `POST /v1/imports/{import_id}/undo`.
     *
     * @param {string} importId
     * @param {ImportsUndoQuery} [query]
     * @param {CallOptions} [options]
     * @returns {Promise<UndoneView>}
     */
    undo(importId: string, query?: ImportsUndoQuery, options?: CallOptions): Promise<UndoneView>;
}
import { Resource } from "../resource.js";
import type { FilesSendQuery } from "../../types/api/index.js";
import type { CallOptions } from "../calls.js";
import type { FileView } from "../../types/api/index.js";
import type { ImportList } from "../../types/api/index.js";
import type { ImportsUndoQuery } from "../../types/api/index.js";
import type { UndoneView } from "../../types/api/index.js";
