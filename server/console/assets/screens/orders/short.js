// What is short: more is reserved than there is, which orders lack it, and where it could come from.

import { usePages } from "../../lib/load.js";
import { Flags, html, Loaded, More, Section, Table } from "../../lib/parts.js";
import { to } from "../../lib/route.js";
import { number, t, when } from "../../lib/text.js";
import { ComesFrom } from "./comes_from.js";

export function Short({ may }) {
  const found = usePages("/v1/shortages", (page) => page.shortages, { live: true, every: 15000 });
  const columns = (shortage) => [
    { name: "order", title: t("orders.order"), show: (row) => row.order_ref || row.reservation_id },
    { name: "channel", title: t("orders.channel"), show: (row) =>
      html`${row.channel} <${Flags} flags=${row.flags} />` },
    { name: "made", title: t("orders.made"), show: (row) => when(row.created_at) },
    { name: "quantity", title: t("orders.ordered"), show: (row) => number(row.quantity), end: true },
    { name: "lacks", title: t("orders.lacking"), show: (row) => number(row.lacks), end: true },
    { name: "from", title: t("orders.could_come"), show: (row) => html`<${ComesFrom} may=${may} onDone=${found.again}
      lack=${{ ...row, sku: shortage.sku, location: shortage.location }} />` },
  ];
  return html`<${Loaded} of=${found}>${() => html`
    ${!found.rows.length && html`<p class="empty">${t("orders.nothing_short")}</p>`}
    ${found.rows.map((shortage) => html`<${Section} key=${`${shortage.sku}/${shortage.location}`}
      title=${t("orders.short_of", { sku: shortage.sku, place: shortage.location })} count=${shortage.short}
      actions=${html`<a href=${to("product", [shortage.sku])}>${t("orders.product")}</a>`}>
      <${Table} columns=${columns(shortage)} rows=${shortage.lines}
        keyOf=${(row) => `${row.reservation_id}/${row.line}`} address=${(row) => to("orders", [row.reservation_id])} />
      ${!shortage.lines_complete && html`<p class="soft">${t("orders.guessed")}</p>`}<//>`)}
    <${More} of=${found} />`}<//>`;
}
