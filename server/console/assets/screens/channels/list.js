// All channels, and how each stands.

import { html, Loaded, Section, Table } from "../../lib/parts.js";
import { useLoad } from "../../lib/load.js";
import { to } from "../../lib/route.js";
import { ago, number, t } from "../../lib/text.js";
import { seconds, Standing, waiting } from "./parts.js";

const EVERY_MS = 3000;

export function ChannelList() {
  const found = useLoad("/v1/channels", { every: EVERY_MS });
  const columns = [
    { name: "channel", title: t("channels.channel"), show: (row) => row.channel },
    { name: "kind", title: t("channels.kind"), show: (row) => row.kind },
    { name: "standing", title: t("channels.standing"), show: (row) => html`<${Standing} of=${row} />
      ${row.reason && html`<div class="soft">${row.reason}</div>`}` },
    { name: "confirmed", title: t("channels.confirmed"), show: (row) =>
      ago(row.last_confirmed_at) || t("channels.never") },
    { name: "lag", title: t("channels.lag"), show: (row) => seconds(row.lag_p50_s), end: true },
    { name: "waiting", title: t("channels.waiting"), show: waiting, end: true },
    { name: "refused", title: t("channels.refused"), show: (row) => number(row.dead_letters), end: true },
  ];
  return html`<${Loaded} of=${found}>${({ channels }) => html`<${Section} title=${t("channels.all")}
    count=${channels.length}><${Table} columns=${columns} rows=${channels} keyOf=${(row) => row.channel}
      address=${(row) => to("channels", [row.channel])} empty=${t("channels.none")} /><//>`}<//>`;
}
