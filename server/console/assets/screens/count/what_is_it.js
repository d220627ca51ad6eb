// A scan that nobody knows: said once what it is, it is known from then on, and counts at once.

import { put } from "../../lib/api.js";
import { Dialog, Field, html, say } from "../../lib/parts.js";
import { known, SkuField } from "../../lib/sku_field.js";
import { t } from "../../lib/text.js";

/** `text`: what was scanned. `onDone(text, {sku, factor})`: what it is. */
export function WhatIsIt({ text, onDone, onClose }) {
  const done = async (values) => {
    const sku = values.is_new ? values.sku.trim() : await known(values.sku);
    const factor = Number(values.factor);
    const isItself = sku === text && factor === 1; // somebody typed the name of a new product
    if (!isItself) {
      await put("/v1/barcodes", { barcodes: [{ barcode: text, sku, factor }], reason: values.reason || undefined });
      say(t("count.is_known", { text, sku }));
    }
    await onDone(text, { sku, factor });
  };
  return html`<${Dialog} title=${t("count.what_is", { text })} reason="maybe" onDone=${done} onClose=${onClose}>
    <p>${t("count.what_is_text")}</p>
    <${SkuField} label=${t("count.product")} required maxlength="128" />
    <div class="field"><label class="choice"><input type="checkbox" name="is_new" /> ${t("count.is_new")}</label></div>
    <${Field} label=${t("count.units_in")} name="factor" type="number" inputmode="numeric" min="1" step="1" required
      defaultValue="1" hint=${t("count.units_in_hint")} /><//>`;
}
