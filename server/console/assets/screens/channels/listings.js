// What a channel shows of each product, and what it will not take, in its own words.

import { at, post, withQuery } from "../../lib/api.js";
import { usePages } from "../../lib/load.js";
import { Action, Badge, Field, html, Loaded, More, Section, Table } from "../../lib/parts.js";
import { go, to } from "../../lib/route.js";
import { ago, number, t, when, words } from "../../lib/text.js";
import { asked } from "./parts.js";

const EVERY_MS = 5000;
const TONES = { shown: "good", pending: "warn", refused: "bad", unlisted: "quiet" };

/** The product of a listing: its SKU, or what a pack or bundle is made of. */
export function made(listing) {
  const parts = listing.components ?? [];
  if (parts.length) return parts.map((each) => `${each.quantity} × ${each.sku}`).join(" + ");
  return listing.factor ? `${listing.factor} × ${listing.sku}` : listing.sku;
}

const Product = ({ of }) => (of.sku ? html`<a href=${to("product", [of.sku])}>${made(of)}</a>` : made(of) || "–");

export function Listings({ channel, state, sku, title, empty }) {
  const path = withQuery(at`/v1/channels/${channel}/listings`, { state, sku });
  const found = usePages(path, (page) => page.listings, { live: true, every: EVERY_MS });
  const columns = [
    { name: "sku", title: t("channels.product"), show: (row) => html`<${Product} of=${row} />` },
    { name: "key", title: t("channels.key"), show: (row) => html`<span class="code">${row.key}</span>` },
    { name: "state", title: t("channels.state"), show: (row) =>
      html`<${Badge} tone=${TONES[row.state]}>${words("channels.states", row.state)}<//>` },
    { name: "shown", title: t("channels.shows"), show: (row) => number(row.shown), end: true },
    { name: "should", title: t("channels.should_show"), show: (row) => number(row.should_show), end: true },
    { name: "why", title: t("channels.why"), show: (row) => html`<span lang="en">${row.why}</span>
      ${row.refused && html`<div>${row.refused.code} ${row.refused.reason}</div>`}` },
    { name: "confirmed", title: t("channels.confirmed"), show: (row) => ago(row.confirmed_at) || t("channels.never") },
  ];
  const filter = !title && html`<${Filter} channel=${channel} state=${state} sku=${sku} />`;
  return html`<${Section} title=${title ?? t("channels.listings")}>${filter}
    <${Loaded} of=${found}>${() => html`<${Table} columns=${columns} rows=${found.rows} keyOf=${(row) => row.key}
      empty=${empty} /><${More} of=${found} />`}<//><//>`;
}

function Filter({ channel, state, sku }) {
  const show = (changed) =>
    go(to("channels", [channel], { tab: "listings", state, sku, ...changed }), { replace: true });
  const look = (event) => {
    event.preventDefault();
    show({ sku: new FormData(event.currentTarget).get("sku").trim() });
  };
  return html`<form class="filters" onSubmit=${look}>
    <${Field} label=${t("channels.state")} as="select" value=${state}
      onChange=${(e) => show({ state: e.currentTarget.value })}>
      <option value="">${t("channels.any")}</option>
      ${Object.keys(TONES).map((each) => html`<option value=${each}>${words("channels.states", each)}</option>`)}
    <//>
    <${Field} label=${t("channels.sku")} name="sku" defaultValue=${sku} autocomplete="off" />
    <button type="submit">${t("channels.look")}</button>
  </form>`;
}

export function DeadLetters({ channel, may, status }) {
  const found = usePages(at`/v1/channels/${channel}/dead-letters`, (page) => page.dead_letters, { every: EVERY_MS });
  const retry = (skus) => async () => {
    asked(await post(at`/v1/channels/${channel}/dead-letters/retry`, skus ? { skus } : {}));
    await Promise.all([found.again(), status.again()]);
  };
  const columns = [
    { name: "sku", title: t("channels.product"), show: (row) => html`<${Product} of=${row} />` },
    { name: "key", title: t("channels.key"), show: (row) => html`<span class="code">${row.key}</span>` },
    { name: "what", title: t("channels.refused_value"), show: (row) => (row.field === "price"
      ? t("channels.price", { price: row.price }) : t("channels.quantity", { n: row.quantity })) },
    { name: "why", title: t("channels.in_its_words"), show: (row) => html`<span class="code">${row.code}</span>
      <div>${row.reason}</div>` },
    { name: "times", title: t("channels.tries"), show: (row) => number(row.attempts), end: true },
    { name: "last", title: t("channels.last_tried"), show: (row) => when(row.last_at) },
    { name: "act", title: t("channels.retry"), says: true, show: (row) => may("admin") && row.sku &&
      html`<${Action} onAct=${retry([row.sku])} aria-label=${t("channels.retry_of", { sku: row.sku })}>
        ${t("channels.retry")}<//>` },
  ].filter((each) => each.name !== "act" || may("admin"));
  const actions = may("admin") && found.rows.length > 0 &&
    html`<${Action} onAct=${retry(null)}>${t("channels.retry_all")}<//>`;
  return html`<${Section} title=${t("channels.refused_title")} actions=${actions}>
    <p class="soft">${t("channels.refused_text")}</p>
    <${Loaded} of=${found}>${() => html`<${Table} columns=${columns} rows=${found.rows}
      keyOf=${(row) => `${row.key} ${row.field}`} empty=${t("channels.nothing_refused")} />
      <${More} of=${found} />`}<//><//>`;
}
