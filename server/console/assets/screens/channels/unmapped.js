// Keys of a channel that nobody has mapped to a product: orders wait for them. What they may be is suggested.

import { at, named, post, withQuery } from "../../lib/api.js";
import { readInTurn, usePages } from "../../lib/load.js";
import { Dialog, Failed, html, Loaded, More, say, Section, Table, useEffect, useState } from "../../lib/parts.js";
import { known, SkuField } from "../../lib/sku_field.js";
import { number, t } from "../../lib/text.js";

const EVERY_MS = 10000;

/** The keys that orders wait for, each once, with the orders. */
function keysOf(entries) {
  const found = new Map();
  for (const entry of entries.filter((each) => each.reason === "unmapped")) {
    for (const key of entry.listings) found.set(key, [...(found.get(key) ?? []), entry]);
  }
  return [...found].map(([key, waiting]) => ({ key, waiting }));
}

/** The product that a key may stand for: the first that the search has for it. A barcode's and a key's come first. */
async function suggested(key) {
  const page = await readInTurn(withQuery("/v1/skus", { q: key, limit: 3 }));
  return page.skus.map((each) => each.sku);
}

export function Unmapped({ channel, may }) {
  const found = usePages(withQuery("/v1/inbox", { channel }), (page) => page.entries, { every: EVERY_MS });
  const [mapping, map] = useState(null);
  if (found.error?.outcome === "documents_missing") return null; // it takes no orders in, so none can wait
  if (found.error && !found.data) return html`<${Failed} error=${found.error} again=${found.again} />`;
  const rows = keysOf(found.rows);
  if (!rows.length) return null;
  const columns = [
    { name: "key", title: t("channels.key"), show: (row) => html`<span class="code">${row.key}</span>` },
    { name: "orders", title: t("channels.orders_wait"), show: (row) => number(row.waiting.length), end: true },
    { name: "may", title: t("channels.may_be"), show: (row) => html`<${Suggestion} of=${row.key}
      onTake=${may("admin") && ((sku) => map({ ...row, sku }))} />` },
    { name: "map", title: t("channels.map"), says: true, show: (row) =>
      html`<button type="button" onClick=${() => map({ ...row, sku: "" })}>${t("channels.map")}</button>` },
  ].filter((each) => each.name !== "map" || may("admin"));
  return html`<${Section} title=${t("channels.unmapped_keys")} count=${rows.length}>
    <${Loaded} of=${found}>${() => html`<${Table} columns=${columns} rows=${rows} keyOf=${(row) => row.key} />
      <${More} of=${found} />`}<//>
    ${mapping && html`<${MapKey} channel=${channel} of=${mapping} again=${found.again} onClose=${() => map(null)} />`}
  <//>`;
}

function Suggestion({ of, onTake }) {
  const [skus, setSkus] = useState(null);
  useEffect(() => {
    let gone = false;
    suggested(of).then((found) => gone || setSkus(found), () => gone || setSkus([]));
    return () => (gone = true);
  }, [of]);
  if (skus === null) return html`<span class="busy" aria-busy="true">${t("frame.loading")}</span>`;
  if (!skus.length) return t("channels.nothing_like_it");
  return skus.map((sku) => (onTake
    ? html`<button key=${sku} type="button" onClick=${() => onTake(sku)}>${sku}</button> `
    : html`<span key=${sku}>${sku} </span>`));
}

function MapKey({ channel, of, again, onClose }) {
  const done = async ({ sku }) => {
    const mapped = { listings: [{ key: of.key, sku: await known(sku) }] };
    const [first] = of.waiting; // the others are booked when they are read the next time
    await post(at`/v1/inbox/${channel}/${named(first.number)}/map`, mapped);
    await again();
    say(t("channels.mapped"));
  };
  return html`<${Dialog} title=${t("channels.map")} doneTitle=${t("channels.map")} onDone=${done} onClose=${onClose}>
    <p>${t("channels.map_means", { key: of.key })}</p>
    <${SkuField} label=${t("channels.sku")} required defaultValue=${of.sku} /><//>`;
}
