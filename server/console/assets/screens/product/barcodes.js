// The barcodes of a product: what a scanner reads as it, or as a pack of it.

import { at, del, get, put, Refused, withQuery } from "../../lib/api.js";
import { usePages } from "../../lib/load.js";
import { Dialog, Field, html, Loaded, More, say, Section, Table, useEffect, useState } from "../../lib/parts.js";
import { number, t } from "../../lib/text.js";

const OFTEN = { every: 5000 }; // what is new is found after a second

export function Barcodes({ sku, may, onChanged }) {
  const [asked, ask] = useState(null);
  const found = usePages(at`/v1/skus/${sku}/barcodes`, (page) => page.barcodes, OFTEN);
  const [gone, setGone] = useState([]);
  useEffect(() => { // once the index knows, what is added again elsewhere is shown
    if (found.data) setGone((before) => before.filter((each) => found.rows.some((row) => row.barcode === each)));
  }, [found.data]);
  const rows = found.rows.filter((row) => !gone.includes(row.barcode));
  const columns = [
    { name: "barcode", title: t("product.barcode"), show: (row) => html`<span class="code">${row.barcode}</span>` },
    { name: "units", title: t("product.units_in"), end: true, show: (row) => number(row.factor) },
    ...(may("stock") ? [{ name: "remove", title: t("product.remove"), says: true, show: (row) => html`<button
      type="button" aria-label=${t("product.remove_of", { barcode: row.barcode })} onClick=${() => ask(row)}>
      ${t("product.remove")}</button>` }] : []),
  ];
  if (found.error?.outcome === "documents_missing") return null;
  const actions = may("stock") && html`<button type="button" onClick=${() => ask("add")}>
    ${t("product.add_barcode")}</button>`;
  const removed = ({ barcode }) => {
    setGone((before) => [...before, barcode]);
    onChanged();
  };
  const added = (barcode) => {
    setGone((before) => before.filter((each) => each !== barcode));
    found.again();
    onChanged();
  };
  return html`<${Section} id="barcodes" title=${t("product.barcodes")} actions=${actions}>
    <${Loaded} of=${found}>${() => html`<${Table} columns=${columns} rows=${rows} keyOf=${(row) => row.barcode}
      empty=${t("product.no_barcodes")} /><${More} of=${found} />`}<//>
    ${asked === "add" && html`<${AddBarcode} sku=${sku} onDone=${added} onClose=${() => ask(null)} />`}
    ${asked && asked !== "add" && html`<${Remove} of=${asked} onDone=${removed} onClose=${() => ask(null)} />`}<//>`;
}

/** What a barcode stands for now; null: for nothing. */
async function meaning(barcode) {
  try {
    return await get(at`/v1/barcodes/${barcode}`);
  } catch (error) {
    if (error instanceof Refused && error.outcome === "unknown_barcode") return null;
    throw error;
  }
}

/** Asks for a barcode of a product; one of another product is taken from that only where somebody says so. */
function AddBarcode({ sku, onDone, onClose }) {
  const [other, setOther] = useState(null);
  const done = async (values) => {
    const code = values.barcode.trim();
    const now = await meaning(code);
    if (now && now.sku !== sku && !values.takes) {
      setOther(now);
      throw new Refused(0, { title: t("product.barcode_of", { barcode: code, sku: now.sku }) });
    }
    const barcodes = [{ barcode: code, sku, factor: Number(values.factor) }];
    await put("/v1/barcodes", { barcodes, reason: values.reason || undefined });
    say(t("product.barcode_added", { barcode: code, sku }));
    onDone(code);
  };
  return html`<${Dialog} title=${t("product.add_barcode")} reason="maybe" onDone=${done} onClose=${onClose}>
    <${Field} label=${t("product.barcode")} name="barcode" required maxlength="64" autocomplete="off"
      spellcheck=${false} autocapitalize="off" hint=${t("product.barcode_hint")} />
    <${Field} label=${t("product.units_in")} name="factor" type="number" inputmode="numeric" min="1" step="1" required
      defaultValue="1" hint=${t("product.units_in_hint")} />
    ${other && html`<p><label><input type="checkbox" name="takes" />
      ${" "}${t("product.takes_barcode", { sku: other.sku })}</label></p>`}<//>`;
}

function Remove({ of, onDone, onClose }) {
  const done = async ({ reason }) => {
    await del(withQuery(at`/v1/barcodes/${of.barcode}`, { reason }));
    say(t("product.barcode_removed", { barcode: of.barcode }));
    onDone(of);
  };
  return html`<${Dialog} title=${t("product.remove_of", { barcode: of.barcode })} doneTitle=${t("product.remove")}
    tone="bad" reason onDone=${done} onClose=${onClose}><p>${t("product.remove_means")}</p><//>`;
}
