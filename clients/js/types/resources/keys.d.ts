/** @import { CallOptions } from "../calls.js" */
/** @import { KeyBody, KeyChangeBody, KeyList, KeyRotationBody, KeyView, NewKeyView } from "../../types/api/index.js" */
/** API keys of a partition. */
export class Keys extends Resource {
    /**
     * Create a key, whose token is shown this once. `POST /v1/keys`.
     *
     * It is not sent again after a lost answer: the token of the key that was created then is lost.
     *
     * @param {KeyBody} body
     * @param {CallOptions} [options]
     * @returns {Promise<NewKeyView>}
     */
    create(body: KeyBody, options?: CallOptions): Promise<NewKeyView>;
    /**
     * Read every key, and when it was used last. `GET /v1/keys`.
     *
     * @param {CallOptions} [options]
     * @returns {Promise<KeyList>}
     */
    readMany(options?: CallOptions): Promise<KeyList>;
    /**
     * Change what a key may do. `PUT /v1/keys/{key_id}`. What is left out stays, and null lifts a limit.
     *
     * @param {string} keyId
     * @param {KeyChangeBody} [body]
     * @param {CallOptions} [options]
     * @returns {Promise<KeyView>}
     */
    update(keyId: string, body?: KeyChangeBody, options?: CallOptions): Promise<KeyView>;
    /**
     * Give a key a new secret; the one before is good for some time. `POST /v1/keys/{key_id}/rotate`.
     *
     * It is not sent again after a lost answer: a second one would end the secret that you have.
     *
     * @param {string} keyId
     * @param {KeyRotationBody} [body]
     * @param {CallOptions} [options]
     * @returns {Promise<NewKeyView>}
     */
    rotate(keyId: string, body?: KeyRotationBody, options?: CallOptions): Promise<NewKeyView>;
    /**
     * Revoke a key for good. `DELETE /v1/keys/{key_id}`.
     *
     * @param {string} keyId
     * @param {CallOptions} [options]
     * @returns {Promise<KeyView>}
     */
    revoke(keyId: string, options?: CallOptions): Promise<KeyView>;
}
import { Resource } from "../resource.js";
import type { KeyBody } from "../../types/api/index.js";
import type { CallOptions } from "../calls.js";
import type { NewKeyView } from "../../types/api/index.js";
import type { KeyList } from "../../types/api/index.js";
import type { KeyChangeBody } from "../../types/api/index.js";
import type { KeyView } from "../../types/api/index.js";
import type { KeyRotationBody } from "../../types/api/index.js";
