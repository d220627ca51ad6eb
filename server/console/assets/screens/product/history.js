// What became of a product: a graph of what was available, and who changed what, from what to what, and why.

import { nowMs, withQuery } from "../../lib/api.js";
import { Chart } from "../../lib/chart.js";
import { usePages } from "../../lib/load.js";
import { html, Loaded, More, Section, Table, useEffect } from "../../lib/parts.js";
import { number, t, when, words } from "../../lib/text.js";

const MANY = 100;

/** What was available of all places after each change, the oldest first: {times, values}. */
export function steps(rows, levels) {
  const moved = rows.filter((row) => row.available !== null).reverse();
  const left = Object.fromEntries(levels.map((level) => [level.location, level.available]));
  for (const row of [...moved].reverse()) {
    if (row.available_before !== null) left[row.location] = row.available_before;
  }
  const times = [];
  const values = [];
  for (const row of moved) {
    left[row.location] = row.available;
    times.push(new Date(row.at).getTime());
    values.push(Object.values(left).reduce((sum, units) => sum + units, 0));
  }
  if (times.length) {
    times.push(nowMs());
    values.push(values[values.length - 1]);
  }
  return { times, values };
}

const signed = (units) => (units > 0 ? `+${number(units)}` : number(units));

/** What a setting was or is: the parts of it that say something. */
function setting(text) {
  let parts = null;
  try {
    parts = JSON.parse(text);
  } catch {
    // A text of its own.
  }
  if (Array.isArray(parts)) return parts.join(", "); // of a barcode: the product, and its units
  if (!parts || typeof parts !== "object") return text || "–";
  return Object.entries(parts).filter(([, part]) => part !== "" && part !== null)
    .map(([name, part]) => `${name}: ${typeof part === "object" ? JSON.stringify(part) : part}`).join(", ");
}

function fromTo(row) {
  if (row.available !== null) return `${number(row.available_before)} → ${number(row.available)}`;
  if (!row.was && !row.now) return "";
  return html`<small class="wrap">${setting(row.was)} → ${setting(row.now)}</small>`;
}

export function History({ sku, levels, changes }) {
  const found = usePages(withQuery("/v1/history", { sku, limit: MANY }), (page) => page.changes, { live: sku });
  useEffect(() => {
    if (changes) found.again();
  }, [changes]);
  const columns = [
    { name: "at", title: t("product.when"), show: (row) => when(row.at) },
    { name: "what", title: t("product.what"), show: (row) => html`${words("product.operations", row.operation)}
      ${Object.entries(row.deltas).map(([bucket, units]) => html`<br /><small>
        ${words("product.parts", bucket)} ${signed(units)}</small>`)}` },
    { name: "who", title: t("product.who"), show: (row) => row.actor },
    { name: "place", title: t("product.place"), show: (row) => row.location },
    { name: "order", title: t("product.order"), show: (row) => row.order_ref || row.reservation_id },
    { name: "from", title: t("product.before_after"), end: true, show: fromTo },
    { name: "why", title: t("product.why"), show: (row) => row.reason },
  ];
  if (found.error?.outcome === "documents_missing") return null;
  return html`<${Loaded} of=${found}>${() => {
    const { times, values } = steps(found.rows, levels);
    return html`<${Section} id="history" title=${t("product.history")}>
      ${times.length > 2 && html`<${Chart} key=${times.length} times=${times} label=${t("product.graph", { sku })}
        lines=${[{ title: t("product.available"), values }]} />`}
      <${Table} columns=${columns} rows=${found.rows} empty=${t("product.no_history")} />
      <${More} of=${found} /><//>`;
  }}<//>`;
}
