// How each channel is, the worst first.

import { Badge, html, Light, Loaded, Section, Table } from "../../lib/parts.js";
import { to } from "../../lib/route.js";
import { ago, number, t, words } from "../../lib/text.js";

const BEHIND_S = 60;
const tenths = (seconds) => Math.round(seconds * 10) / 10;

/** How a channel is: bad where nothing reaches it, warn where something does not. */
export function toneOf(channel) {
  if (channel.publisher_missing || channel.circuit === "halted" || channel.circuit === "open") return "bad";
  return channel.paused || channel.dead_letters || channel.oldest_unsent_s > BEHIND_S ? "warn" : "good";
}

function stateOf(channel) {
  if (channel.circuit !== "closed") return words("today.circuits", channel.circuit);
  if (channel.publisher_missing) return t("today.not_published");
  if (channel.paused) return t("today.paused");
  if (channel.dead_letters) return t("today.refuses_some");
  return channel.oldest_unsent_s > BEHIND_S ? t("today.behind") : t("today.in_order");
}

export function Channels({ of }) {
  const worst = { bad: 0, warn: 1, good: 2 };
  const columns = [
    { name: "channel", title: t("today.channel"),
      show: (row) => html`<${Light} tone=${toneOf(row)}>${row.channel}<//>` },
    { name: "state", title: t("today.state"),
      show: (row) => html`${stateOf(row)}
      ${row.reason && html`<br /><small lang="en">${row.reason}</small>`}` },
    { name: "confirmed", title: t("today.confirmed"), show: (row) => ago(row.last_confirmed_at) || "–" },
    { name: "lag", title: t("today.lag"), end: true,
      show: (row) => (row.lag_p50_s == null ? "–" : t("today.seconds", { seconds: tenths(row.lag_p50_s) })) },
    { name: "waiting", title: t("today.waiting"), end: true, show: (row) => number(row.dirty) },
    { name: "refused", title: t("today.refused"), end: true, show: (row) =>
      (row.dead_letters ? html`<${Badge} tone="bad">${number(row.dead_letters)}<//>` : number(0)) },
  ];
  return html`<${Loaded} of=${of}>${({ channels: all }) => {
    const sorted = [...all].sort((a, b) => worst[toneOf(a)] - worst[toneOf(b)] || a.channel.localeCompare(b.channel));
    const ill = all.filter((each) => toneOf(each) !== "good").length;
    return html`<${Section} id="channels" title=${t("today.channels")}
      actions=${ill > 0 && html`<${Badge} tone="bad">${t("today.ill", { count: ill })}<//>`}>
      <${Table} columns=${columns} rows=${sorted} keyOf=${(row) => row.channel}
        address=${(row) => to("channels", [row.channel])} empty=${t("today.no_channels")} /><//>`;
  }}<//>`;
}
