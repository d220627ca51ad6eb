// Whether changes are worth a read: where very much is sold, few of the changes are of what a list shows.

/**
 * Weighs changes against the newest answer. `concerns(changes, data)` tells whether any may change it; `changes`
 * has each SKU with its newest availability, as /v1/changes tells it. Where it cannot tell, it says yes.
 */
export class Weighed {
  #data = null;
  #isReading = false;
  #meanwhile = new Map(); // what came while an answer was on its way, and is weighed against that
  #seq = 0;
  #isBehind = false;

  /** Notes that an answer is on its way. */
  begin() {
    this.#isReading = true;
  }

  /** Notes an answer, null where none came. Returns whether it has to be read again: "", "soon" or "later". */
  end(data, concerns) {
    const came = this.#meanwhile;
    this.#data = data;
    this.#isReading = false;
    this.#meanwhile = new Map();
    const isOld = came.size > 0 && this.changed(came, concerns);
    const wasBehind = this.#isBehind;
    // What an index finds can lack a change that the page knows. Mostly it has it a moment later.
    this.#isBehind = data?.index !== undefined && data.index.seq < this.#seq;
    if (this.#isBehind && !wasBehind) return "soon";
    return this.#isBehind || isOld ? "later" : "";
  }

  /** Notes changes. Returns whether to read again. */
  changed(skus, concerns) {
    if (this.#isReading) {
      for (const [sku, change] of skus) this.#meanwhile.set(sku, change);
      return false;
    }
    if (this.#data !== null && !concerns(skus, this.#data)) return false;
    for (const { seq } of skus.values()) this.#seq = Math.max(this.#seq, seq);
    return true;
  }
}
