// What each channel shows of a product, should show, and why.

import { at, post } from "../../lib/api.js";
import { useLoad } from "../../lib/load.js";
import { Action, Badge, Empty, html, Loaded, say, Section, Table } from "../../lib/parts.js";
import { ago, number, t, when, words } from "../../lib/text.js";

const TONES = { shown: "good", pending: "warn", refused: "bad", unlisted: "quiet" };

export function Channels({ sku, may }) {
  const found = useLoad(at`/v1/stock/${sku}/channels`, { live: sku, every: 5000 });
  const compare = async (channel) => {
    await post(at`/v1/channels/${channel}/reconcile`);
    say(t("product.compared", { channel }));
  };
  const columns = [
    { name: "channel", title: t("product.channel"), show: (row) => html`${row.channel}
      ${row.publisher_missing && html` <${Badge} tone="bad">${t("product.not_published")}<//>`}` },
    { name: "key", title: t("product.key"), show: (row) => html`<code>${row.key}</code>
      ${!row.sku && html` <${Badge}>${t("product.bundle")}<//>`}
      ${row.factor > 1 && html` <${Badge}>${t("product.pack", { count: row.factor })}<//>`}` },
    { name: "shown", title: t("product.shows"), end: true, show: (row) => html`<strong>${number(row.shown)}</strong>` },
    { name: "should", title: t("product.should_show"), end: true, show: (row) => number(row.should_show) },
    { name: "why", title: t("product.rule"), show: (row) => html`<small lang="en">${row.why}</small>` },
    { name: "confirmed", title: t("product.confirmed"),
      show: (row) => html`<span title=${when(row.confirmed_at)}>${ago(row.confirmed_at) || "–"}</span>` },
    { name: "state", title: t("product.state"), show: (row) => html`
      <${Badge} tone=${TONES[row.state]}>${words("product.listing_states", row.state)}<//>
      ${row.refused && html`<br /><small>${row.refused.reason || row.refused.code}</small>`}` },
    ...(may("admin") ? [{ name: "compare", title: t("product.compare"), says: true, show: (row) => html`
      <${Action} onAct=${() => compare(row.channel)}>${t("product.compare")}<//>` }] : []),
  ];
  return html`<${Loaded} of=${found}>${({ channels }) => {
    const rows = channels.flatMap((channel) => channel.listings.map((listing) => ({
      ...listing, channel: channel.channel, publisher_missing: channel.publisher_missing,
    })));
    const without = channels.filter((channel) => !channel.listings.length).map((channel) => channel.channel);
    return html`<${Section} id="channels" title=${t("product.channels")} count=${rows.length}>
      ${!channels.length && html`<${Empty}>${t("product.no_channels")}<//>`}
      ${channels.length > 0 && html`<${Table} columns=${columns} rows=${rows}
        keyOf=${(row) => `${row.channel} ${row.key}`} empty=${t("product.listed_nowhere")} />`}
      ${rows.length > 0 && without.length > 0 && html`<p class="soft">
        ${t("product.not_listed_at", { channels: without.join(", ") })}</p>`}<//>`;
  }}<//>`;
}
