// The inbox: what could not be booked, why, and what a person does about it.

import { at, named, post, Refused, withQuery } from "../../lib/api.js";
import { usePages } from "../../lib/load.js";
import { Action, Badge, Dialog, Field, Flags, html, Loaded, More, say, Table, useState } from "../../lib/parts.js";
import { to } from "../../lib/route.js";
import { known, SkuField } from "../../lib/sku_field.js";
import { ago, number, t, words } from "../../lib/text.js";
import { Filters } from "./filters.js";

const RETURN = "return:";

/** Asks what a channel's keys stand for, and has the order booked with it. */
export function MapKeys({ entry, onDone, onClose }) {
  const done = async (values) => {
    const listings = [];
    for (const [i, key] of entry.listings.entries()) {
      const sku = (values[`sku${i}`] ?? "").trim();
      const factor = Number(values[`factor${i}`]);
      if (sku) listings.push({ sku: await known(sku), key, ...(factor > 1 ? { factor } : {}) });
    }
    if (!listings.length) throw new Refused(0, { title: t("orders.nothing_named") });
    const path = at`/v1/inbox/${entry.channel}/${named(entry.number)}/map`;
    asked(await post(path, { listings }), t("orders.mapped"));
    onDone();
  };
  return html`<${Dialog} title=${t("orders.map_title", { channel: entry.channel })} doneTitle=${t("orders.map")}
    onDone=${done} onClose=${onClose}>
    <p>${t("orders.map_text")}</p>
    ${entry.listings.map((key, i) => html`<fieldset key=${key}><legend class="code">${key}</legend>
      <${SkuField} label=${t("orders.sku")} name=${`sku${i}`} required=${entry.listings.length === 1} />
      <${Field} label=${t("orders.factor")} name=${`factor${i}`} type="number" min="1" step="1" defaultValue="1"
        hint=${t("orders.factor_hint")} /></fieldset>`)}<//>`;
}

function asked(answer, text) {
  if (answer.publisher_missing) say(t("orders.publisher_missing"), "bad");
  else say(text);
}

/** What can be done about one entry. */
export function EntryActions({ entry, may, onDone }) {
  const [maps, setMaps] = useState(false);
  if (!may("admin")) return null;
  const path = (verb) => at`/v1/inbox/${entry.channel}/${named(entry.number)}/${verb}`;
  const retry = async () => {
    asked(await post(path("retry")), t("orders.retried"));
    onDone();
  };
  const ignore = async () => {
    asked(await post(path("ignore")), t("orders.ignored"));
    onDone();
  };
  return html`<div class="actions">
    ${entry.listings.length > 0 && html`<button type="button" class="main" onClick=${() => setMaps(true)}>
      ${t("orders.map")}</button>`}
    <${Action} onAct=${retry}>${t("orders.retry")}<//>
    ${entry.state === "open" && html`<${Action} onAct=${ignore}>${t("orders.ignore")}<//>`}
    ${maps && html`<${MapKeys} entry=${entry} onDone=${onDone} onClose=${() => setMaps(false)} />`}
  </div>`;
}

/** Why an entry stands there, and the keys that nobody knows. */
export const Why = ({ entry }) => html`<div><strong>${words("orders.reasons", entry.reason)}</strong>
  ${entry.detail && html`<div class="soft" lang="en">${entry.detail}</div>`}
  ${entry.listings.map((key) => html`<div key=${key} class="code">${key}</div>`)}</div>`;

export function Inbox({ query, may }) {
  const { channel, state } = query;
  const options = { live: true, every: 15000 };
  const found = usePages(withQuery("/v1/inbox", { channel, state }), (page) => page.entries, options);
  const fields = [
    { name: "channel", title: t("orders.channel") },
    { name: "state", title: t("orders.state"), options: [["open", t("orders.open")], ["ignored", t("orders.left")]] },
  ];
  const columns = [
    { name: "number", title: t("orders.number"), show: (row) => row.number },
    { name: "channel", title: t("orders.channel"), show: (row) => html`${row.channel} <${Flags} flags=${row.flags} />
      ${row.state === "ignored" && html`<${Badge}>${t("orders.left")}<//>`}` },
    { name: "why", title: t("orders.why"), show: (row) => html`<${Why} entry=${row} />` },
    { name: "since", title: t("orders.since"), show: (row) => ago(row.first_at) },
    { name: "tries", title: t("orders.tries"), show: (row) => number(row.tries), end: true },
    { name: "do", title: t("orders.what_to_do"), says: true, show: (row) =>
      html`<${EntryActions} entry=${row} may=${may} onDone=${found.again} />` },
  ];
  const address = (row) => (row.number.startsWith(RETURN) ? null : to("orders", [row.channel, row.number]));
  return html`<${Filters} query=${query} fields=${fields} kept=${{ tab: "inbox" }} />
    <${Loaded} of=${found}>${() => html`
      <${Table} columns=${columns} rows=${found.rows} keyOf=${(row) => `${row.channel}/${row.number}`}
        address=${address} empty=${t("orders.inbox_empty")} /><${More} of=${found} />`}<//>`;
}
