// A field for a product: what is typed is looked for, and what is found is offered.

import { get, post, Refused, withQuery } from "./api.js";
import { Field, html, useEffect, useState } from "./parts.js";

const PAUSE_MS = 200;
let lastId = 0;

const BARCODE = /^\d{8,14}$/; // somebody has scanned the product

/** Returns the name of a product; fails where there is none: a slip of the pen that is mapped would sell nothing. */
export async function known(entered) {
  const sku = entered.trim();
  const { unknown } = await post("/v1/availability/query", { skus: [sku], locations: false });
  if (!unknown.length) return sku;
  const { skus } = await get(withQuery("/v1/skus", { q: sku })); // it may have no stock, and need none
  if (skus.some((each) => each.sku === sku)) return sku;
  if (skus.length === 1 && BARCODE.test(sku)) return skus[0].sku;
  throw new Refused(0, { outcome: "unknown_sku", detail: sku });
}

/** `name` is that of the field; the other attributes are those of Field. */
export function SkuField({ name = "sku", label, onValue, ...rest }) {
  const [id] = useState(() => `skus${++lastId}`);
  const [typed, type] = useState("");
  const [found, setFound] = useState([]);
  useEffect(() => {
    if (!typed.trim()) return undefined;
    const abort = new AbortController();
    const timer = setTimeout(async () => {
      const path = withQuery("/v1/skus", { q: typed.trim(), limit: 10 });
      const page = await get(path, { signal: abort.signal }).catch(() => null); // the field can do without
      if (page) setFound(page.skus);
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [typed]);
  const told = (value) => {
    type(value);
    onValue?.(value);
  };
  return html`<div><${Field} label=${label} name=${name} list=${id} autocomplete="off"
    spellcheck=${false} onValue=${told} ...${rest} />
    <datalist id=${id}>${found.map((each) => html`<option key=${each.sku} value=${each.sku} />`)}</datalist></div>`;
}
