// Products and channels: what each shows, where one is missing or there twice, and what it may be listed as.

import { at, put, withQuery } from "../../lib/api.js";
import { useLoad, usePages } from "../../lib/load.js";
import { Badge, Dialog, Failed, Field, html, Loaded, More, say, Section, Table, useState } from "../../lib/parts.js";
import { go, to } from "../../lib/route.js";
import { number, t } from "../../lib/text.js";

const PAGE = 20;
const OFTEN = { live: true, every: 5000, pause: 3000 }; // what is new is found after a second

/** Listings of single pieces: more than one is a duplicate, a pack or bundle is none. */
const single = (listings) => listings.filter((each) => (each.factor ?? 0) <= 1 && !each.components?.length);

export function Matrix({ sought, may }) {
  const path = withQuery("/v1/skus", { q: sought, show: "channels", limit: PAGE });
  const found = usePages(path, (page) => page.skus, OFTEN);
  const channels = useLoad("/v1/channels");
  const unlisted = usePages("/v1/reports/unlisted", (page) => page.skus);
  const again = () => Promise.all([found.again(), unlisted.again()]);
  const [mapping, map] = useState(null);
  const names = channels.data?.channels.map((each) => each.channel) ?? [];
  const columns = [
    { name: "sku", title: t("channels.product"), show: (row) => row.sku },
    { name: "available", title: t("channels.available"), show: (row) => number(row.available), end: true },
    ...names.map((channel) => ({ name: `on ${channel}`, title: channel, show: (row) => html`<${Cell}
      of=${row.channels} channel=${channel} sku=${row.sku}
      onMap=${may("admin") && (() => map({ channel, sku: row.sku, on: row.channels }))} />` })),
  ];
  const look = (event) => {
    event.preventDefault();
    const q = new FormData(event.currentTarget).get("q").trim();
    go(to("channels", [], { tab: "matrix", q }), { replace: true });
  };
  return html`<${Section} title=${t("channels.matrix")}>
      <form class="filters" onSubmit=${look}>
        <${Field} label=${t("channels.sku")} name="q" type="search" defaultValue=${sought} autocomplete="off" />
        <button type="submit">${t("channels.look")}</button></form>
      ${channels.error && html`<${Failed} error=${channels.error} again=${channels.again} />`}
      <${Loaded} of=${found}>${() => html`<${Table} columns=${columns} rows=${found.rows} keyOf=${(row) => row.sku}
        address=${(row) => to("product", [row.sku])} /><${More} of=${found} />`}<//><//>
    <${Unlisted} of=${unlisted} />
    ${mapping && html`<${Listed} of=${mapping} again=${again} onClose=${() => map(null)} />`}`;
}

/** A key is shown where it says more than the product's own name. */
function Cell({ of, channel, sku, onMap }) {
  const listings = of.find((each) => each.channel === channel)?.listings ?? [];
  if (!listings.length) {
    return onMap ? html`<button type="button" aria-label=${t("channels.list_on", { sku, channel })}
      onClick=${onMap}>${t("channels.not_listed")}</button>`
      : html`<${Badge} tone="warn">${t("channels.not_listed")}<//>`;
  }
  return html`${listings.map((each) => html`<div key=${each.key}>
      ${number(each.shown)} ${each.shown !== each.should_show && html`<${Badge} tone=${each.refused ? "bad" : "warn"}
        title=${each.refused?.reason}>${t("channels.not_yet", { n: number(each.should_show) })}<//>`}
      ${each.key !== sku && html`<small class="code">${each.key}</small>`}</div>`)}
    ${single(listings).length > 1 && html`<${Badge} tone="warn">${t("channels.twice")}<//>`}`;
}

/** Keys that a product may have on a channel: those that it has on others, the commonest first, and its own name. */
function likely(on, sku) {
  const times = new Map();
  for (const each of on) for (const { key } of single(each.listings)) times.set(key, (times.get(key) ?? 0) + 1);
  const keys = [...times].sort((a, b) => b[1] - a[1]).map(([key]) => key);
  return [...new Set([...keys, sku])];
}

function Listed({ of, again, onClose }) {
  const keys = likely(of.on, of.sku);
  const [key, setKey] = useState("");
  const done = async () => {
    await put(at`/v1/channels/${of.channel}/listings`, { listings: [{ sku: of.sku, key: key.trim() }] });
    await again();
    say(t("channels.listed"));
  };
  return html`<${Dialog} title=${t("channels.list_on", { sku: of.sku, channel: of.channel })} onDone=${done}
    onClose=${onClose}><p>${t("channels.list_means")}</p>
    <p>${t("channels.suggestions")} ${keys.map((each) => html`<button key=${each} type="button"
      onClick=${() => setKey(each)}>${each}</button> `)}</p>
    <${Field} label=${t("channels.key")} name="key" required value=${key} onValue=${setKey} autocomplete="off" /><//>`;
}

/** What could be sold, and is on no channel at all. */
function Unlisted({ of: found }) {
  const columns = [
    { name: "sku", title: t("channels.product"), show: (row) => row.sku },
    { name: "available", title: t("channels.available"), show: (row) => number(row.available), end: true },
  ];
  const address = (row) => to("channels", [], { tab: "matrix", q: row.sku });
  return html`<${Section} title=${t("channels.on_none")}><${Loaded} of=${found}>${() => html`<${Table}
    columns=${columns} rows=${found.rows} keyOf=${(row) => row.sku} address=${address}
    empty=${t("channels.all_listed")} /><${More} of=${found} />`}<//><//>`;
}
