// Products: found by name, SKU, barcode or a channel's key; and one product: why its number is what it is.

import { at, get, withQuery } from "../lib/api.js";
import { useLoad, usePages } from "../lib/load.js";
import { Badge, Empty, Failed, html, Loaded, More, Section, Table, Title, useEffect, useState } from "../lib/parts.js";
import { go, to } from "../lib/route.js";
import { ago, day, number, t, when, words } from "../lib/text.js";
import { Actions } from "./product/actions.js";
import { Barcodes } from "./product/barcodes.js";
import { Channels } from "./product/channels.js";
import { History } from "./product/history.js";

const LABEL = /^\]|\u001d|^\(\d{2}/; // a GS1 label, which the search does not read

export default function Product({ names, query, may }) {
  if (!names.length) return html`<${Search} query=${query} />`;
  return html`<${One} key=${names[0]} sku=${names[0]} may=${may} />`;
}

function Search({ query }) {
  const isLabel = LABEL.test(query.q ?? "");
  const sort = query.q || query.state === "low" ? "" : "sku";
  const path = withQuery("/v1/skus", { q: query.q, state: query.state, sort });
  const found = usePages(isLabel ? null : path, (page) => page.skus, { live: true, every: 5000 });
  const [unknown, setUnknown] = useState(null);
  useEffect(() => {
    setUnknown(null);
    if (!isLabel) return undefined;
    let gone = false; // somebody has scanned something else meanwhile, or went elsewhere
    const open = ({ sku }) => gone || go(to("product", [sku]), { replace: true });
    get(at`/v1/barcodes/${query.q}`).then(open, (error) => gone || setUnknown(error));
    return () => (gone = true);
  }, [query.q]);
  useEffect(() => {
    const isAlone = found.rows.length === 1 && !found.more; // a page of many that were looked at may have one so far
    const meant = isAlone ? found.rows[0] : found.rows.find((row) => row.sku === query.q);
    if (query.open && meant) go(to("product", [meant.sku]), { replace: true });
  }, [found.data]);
  const narrow = (changed) => go(to("product", [], { q: query.q, state: query.state, ...changed }), { replace: true });
  const columns = [
    { name: "sku", title: t("product.sku"), show: (row) => row.sku },
    { name: "category", title: t("product.category"), show: (row) => row.category },
    { name: "available", title: t("product.available"), end: true, show: (row) => number(row.available) },
    { name: "on_hand", title: t("product.on_hand"), end: true, show: (row) => number(row.on_hand) },
    { name: "held", title: t("product.held"), end: true, show: (row) => number(row.held + row.committed) },
    { name: "states", title: t("product.state"), show: (row) => row.states.map((state) => html`
      <${Badge} key=${state} tone=${state === "short" ? "bad" : state === "held" ? "quiet" : "warn"}>
        ${words("product.states", state)}<//> `) },
  ];
  return html`<${Title}>${query.q ? t("product.found_for", { sought: query.q }) : t("product.title")}<//>
    <div class="filters" role="group" aria-label=${t("product.state")}>
      ${["", "out", "low", "short", "held"].map((state) => html`<button type="button" key=${state}
        aria-pressed=${(query.state ?? "") === state} class=${(query.state ?? "") === state ? "main" : ""}
        onClick=${() => narrow({ state })}>${words("product.filters", state || "all")}</button>`)}
    </div>
    ${unknown && html`<${Failed} error=${unknown} />`}
    ${!isLabel && html`<${Loaded} of=${found}>${() => html`
      <p class="soft">${t("product.found", { count: found.rows.length })}${found.more && " +"}</p>
      <${Table} columns=${columns} rows=${found.rows} keyOf=${(row) => row.sku}
        address=${(row) => to("product", [row.sku])} empty=${t("product.nothing_found")} />
      <${More} of=${found} />`}<//>`}`;
}

function One({ sku, may }) {
  const stock = useLoad(at`/v1/stock/${sku}`, { live: sku });
  const supply = useLoad(withQuery("/v1/supply", { sku }), { live: sku });
  const [changes, setChanges] = useState(0);
  const noted = () => setChanges((n) => n + 1);
  const changed = () => {
    stock.again();
    supply.again();
    noted();
  };
  if (stock.error?.outcome === "unknown_sku") return html`<${Title}>${sku}<//><${Unknown} sku=${sku} may=${may} />`;
  const actions = stock.data && html`<${Actions} stock=${stock.data} may=${may} onChanged=${changed} />`;
  return html`<${Title} actions=${actions}>${sku}<//>
    <${Loaded} of=${stock}>${(found) => html`
      <p><span class="big">${number(found.available)}</span> <span class="soft">${t("product.available_now")}</span></p>
      <${Sum} stock=${found} />
      <${Channels} sku=${sku} may=${may} />
      <div class="grid"><${Holders} stock=${found} /><${OnItsWay} stock=${found} supply=${supply} />
        <${Barcodes} sku=${found.sku} may=${may} onChanged=${noted} /></div>
      <${History} sku=${sku} levels=${found.levels} changes=${changes} />`}<//>`;
}

/** Where a name leads that no product has, as by an old link. */
const Unknown = ({ sku, may }) => html`<div class="note warn" role="alert"><strong>${t("product.unknown")}</strong>
  <p><a href=${to("product", [], { q: sku })}>${t("product.look_for", { sku })}</a></p>
  ${may("stock") && html`<p><a href=${to("count")}>${t("product.receive_it")}</a></p>`}</div>`;

const PARTS = ["on_hand", "damaged", "quality_control", "safety", "held", "committed", "set_aside"];

/** Why the number is what it is: the sum of each place, and of all. */
function Sum({ stock }) {
  const parts = PARTS.filter((part) => part !== "set_aside" || stock.levels.some((level) => level.set_aside));
  const columns = [
    { name: "location", title: t("product.place"), show: (level) => html`${level.location}
      ${level.closed && html` <${Badge} tone="warn">${t("product.closed")}<//>`}` },
    ...parts.map((part) => ({
      name: part,
      title: words("product.parts", part),
      end: true,
      show: (level) => (part === "on_hand" ? number(level[part]) : level[part] ? `− ${number(level[part])}` : "0"),
    })),
    { name: "available", title: t("product.available"), end: true, show: (level) => html`= <strong>
      ${number(level.available)}</strong>
      ${level.closed && html`<br /><small>${t("product.closed_counts_not")}</small>`}` },
  ];
  return html`<${Section} id="sum" title=${t("product.sum")}>
    <${Table} columns=${columns} rows=${stock.levels} keyOf=${(level) => level.location} /><//>`;
}

function Holders({ stock }) {
  const columns = [
    { name: "reservation", title: t("product.order"), show: (row) => row.reservation_id },
    { name: "channel", title: t("product.channel"), show: (row) => row.channel },
    { name: "location", title: t("product.place"), show: (row) => row.location },
    { name: "units", title: t("product.units"), end: true, show: (row) => number(row.held + row.committed) },
    { name: "state", title: t("product.state"), show: (row) => html`${words("product.holds", row.state)}
      ${row.expires_at && html`, ${ago(row.expires_at)}`}` },
  ];
  return html`<${Section} id="holders" title=${t("product.holders")} count=${stock.holders.length}>
    <${Table} columns=${columns} rows=${stock.holders} keyOf=${(row) => `${row.reservation_id} ${row.line}`}
      address=${(row) => to("orders", [row.reservation_id])} empty=${t("product.no_holders")} />
    ${!stock.holders_complete && html`<p class="soft">${t("product.not_all")}</p>`}<//>`;
}

function OnItsWay({ stock, supply }) {
  const expected = supply.data?.supply ?? [];
  if (!expected.length && !stock.in_transit.length) {
    return html`<${Section} id="coming" title=${t("product.coming")}><${Empty}>${t("product.nothing_coming")}<//><//>`;
  }
  const rows = [
    ...stock.in_transit.map((each) => ({
      id: each.transfer_id, units: each.quantity, text: t("product.from_to", { from: each.from, to: each.to }),
      time: when(each.shipped_at),
    })),
    ...expected.map((each) => ({
      id: each.reference || each.supply_id, units: each.expected, text: t("product.to", { to: each.location }),
      time: day(each.expected_on),
    })),
  ];
  const columns = [
    { name: "id", title: t("product.reference"), show: (row) => row.id },
    { name: "units", title: t("product.units"), end: true, show: (row) => number(row.units) },
    { name: "where", title: t("product.where"), show: (row) => row.text },
    { name: "when", title: t("product.when"), show: (row) => row.time },
  ];
  return html`<${Section} id="coming" title=${t("product.coming")} count=${rows.length}>
    <${Table} columns=${columns} rows=${rows} /><//>`;
}
