// API keys: created, limited, given a new secret, revoked.

import { adds, at, read, sets } from "../calls.js";
import { Resource } from "../resource.js";

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
  create(body, options) {
    const findOut = "list the keys; if a new one is there whose token you never received, revoke it and create another";
    return this.run(adds("POST", "/v1/keys", body, findOut), options);
  }

  /**
   * Read every key, and when it was used last. `GET /v1/keys`.
   *
   * @param {CallOptions} [options]
   * @returns {Promise<KeyList>}
   */
  readMany(options) {
    return this.run(read("/v1/keys"), options);
  }

  /**
   * Change what a key may do. `PUT /v1/keys/{key_id}`. What is left out stays, and null lifts a limit.
   *
   * @param {string} keyId
   * @param {KeyChangeBody} [body]
   * @param {CallOptions} [options]
   * @returns {Promise<KeyView>}
   */
  update(keyId, body = {}, options) {
    return this.run(sets("PUT", at`/v1/keys/${keyId}`, body), options);
  }

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
  rotate(keyId, body = {}, options) {
    const findOut =
      "list the keys; if `previous_until` is set, the key was rotated and its new secret is lost, so rotate it again";
    return this.run(adds("POST", at`/v1/keys/${keyId}/rotate`, body, findOut), options);
  }

  /**
   * Revoke a key for good. `DELETE /v1/keys/{key_id}`.
   *
   * @param {string} keyId
   * @param {CallOptions} [options]
   * @returns {Promise<KeyView>}
   */
  revoke(keyId, options) {
    return this.run(sets("DELETE", at`/v1/keys/${keyId}`), options);
  }
}
