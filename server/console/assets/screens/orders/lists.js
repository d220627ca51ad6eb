// The lists: orders that channels told of, and all reservations, whoever made them.

import { withQuery } from "../../lib/api.js";
import { useLoad, usePages } from "../../lib/load.js";
import { Badge, Flags, html, Loaded, More, Table } from "../../lib/parts.js";
import { to } from "../../lib/route.js";
import { t, when, words } from "../../lib/text.js";
import { begins } from "../../lib/zone.js";
import { Filters } from "./filters.js";
import { money, State, Units } from "./words.js";

const EVERY_MS = 15000;
const SHORT_MAX = 100; // places of which units are lacking; Short has all of them
const BOOKED = ["held", "booked", "shipping", "shipped", "cancelled", "closed", "recorded", "open", "unpaid"];
const STATES = ["held", "committed", "backordered", "fulfilled", "released", "expired", "cancelled"];
const named = (states) => states.map((state) => [state, words("orders.states", state)]);

/** What orders lack now: units by "channel/number". What an order says of that itself is as of when it was booked. */
function useLacks() {
  const { data } = useLoad(`/v1/shortages?limit=${SHORT_MAX}`, { live: true, every: EVERY_MS, pause: 3000 });
  const lacks = new Map();
  for (const line of data?.shortages.flatMap((each) => each.lines) ?? []) {
    const order = `${line.channel}/${line.order_ref}`;
    lacks.set(order, (lacks.get(order) ?? 0) + line.lacks);
  }
  return lacks;
}

/** What of an order needs somebody: units that it lacks, lines that nobody knows, why it is not booked. */
function Trouble({ order, lacks = 0 }) {
  return html`${lacks > 0 ? html`<${Badge} tone="bad">${t("orders.lacks", { count: lacks })}<//> `
    : order.short > 0 && html`<span class="soft">${t("orders.lacked", { count: order.short })}</span> `}
    ${order.unmapped > 0 && html`<${Badge} tone="bad">${t("orders.unmapped", { count: order.unmapped })}<//> `}
    ${order.reason && html`<span>${words("orders.reasons", order.reason)}</span>`}`;
}

export function ChannelOrders({ query }) {
  const { number: sought, channel, state, customer, sku, location, from, to: until, short } = query;
  const found = usePages(withQuery("/v1/orders", {
    number: sought, channel, state, customer, sku, location, from: begins(from), to: begins(until, 1), short,
  }), (page) => page.orders, { live: true, every: EVERY_MS });
  const lacks = useLacks();
  const fields = [
    { name: "number", title: t("orders.number") },
    { name: "channel", title: t("orders.channel") },
    { name: "state", title: t("orders.state"), options: named(BOOKED) },
    { name: "sku", title: t("orders.sku") },
    { name: "location", title: t("orders.place") },
    { name: "from", title: t("orders.from"), type: "date" },
    { name: "to", title: t("orders.until"), type: "date" },
    { name: "customer", title: t("orders.buyer_ref") },
    { name: "short", title: t("orders.short_only"), type: "checkbox" },
  ];
  const columns = [
    { name: "number", title: t("orders.number"), show: (row) => row.number },
    { name: "channel", title: t("orders.channel"), show: (row) => row.channel },
    { name: "state", title: t("orders.state"), show: (row) => html`<${State} state=${row.state || row.channel_state} />
      ${" "}<${Flags} flags=${row.flags} />` },
    { name: "placed", title: t("orders.placed"), show: (row) => when(row.placed_at ?? row.first_seen_at) },
    { name: "stock", title: t("orders.units"), show: (row) => row.stock.map((each, i) =>
      html`<${Units} key=${i} ...${each} lacks=${0} />`) },
    { name: "trouble", title: t("orders.trouble"), show: (row) => html`<${Trouble} order=${row}
      lacks=${lacks.get(`${row.channel}/${row.number}`)} />` },
    { name: "total", title: t("orders.total"), show: (row) => money(row.total, row.currency), end: true },
  ];
  return html`<${Filters} query=${query} fields=${fields} />
    <${Loaded} of=${found}>${() => html`
      <${Table} columns=${columns} rows=${found.rows} keyOf=${(row) => `${row.channel}/${row.number}`}
        address=${(row) => to("orders", [row.channel, row.number])} empty=${t("orders.none")} />
      <${More} of=${found} />`}<//>`;
}

export function Reservations({ query }) {
  const { order_ref, customer_ref, channel, state, sku, from, to: until, unmapped } = query;
  const found = usePages(withQuery("/v1/reservations", {
    order_ref, customer_ref, channel, state, sku, unmapped, from: begins(from), to: begins(until, 1), sort: "-created",
  }), (page) => page.reservations, { live: true, every: EVERY_MS });
  const fields = [
    { name: "order_ref", title: t("orders.number") },
    { name: "customer_ref", title: t("orders.customer") },
    { name: "channel", title: t("orders.channel") },
    { name: "state", title: t("orders.state"), options: named(STATES) },
    { name: "sku", title: t("orders.sku") },
    { name: "from", title: t("orders.from"), type: "date" },
    { name: "to", title: t("orders.until"), type: "date" },
    { name: "unmapped", title: t("orders.unmapped_only"), type: "checkbox" },
  ];
  const columns = [
    { name: "id", title: t("orders.reservation"), show: (row) => row.reservation_id },
    { name: "number", title: t("orders.number"), show: (row) => row.order_ref ?? "" },
    { name: "channel", title: t("orders.channel"), show: (row) => row.channel },
    { name: "state", title: t("orders.state"), show: (row) => html`<${State} state=${row.state} />
      ${" "}<${Flags} flags=${row.flags} />` },
    { name: "made", title: t("orders.made"), show: (row) => when(row.created_at) },
    { name: "lines", title: t("orders.units"), show: (row) => row.lines.map((line) =>
      html`<${Units} key=${line.line} ...${line} />`) },
    { name: "until", title: t("orders.held_until"), show: (row) => when(row.expires_at) },
  ];
  return html`<${Filters} query=${query} fields=${fields} kept=${{ tab: "reservations" }} />
    <${Loaded} of=${found}>${() => html`
      <${Table} columns=${columns} rows=${found.rows} keyOf=${(row) => row.reservation_id}
        address=${(row) => to("orders", [row.reservation_id])} empty=${t("orders.none")} />
      <${More} of=${found} />
      <p class="soft">${t("orders.shown", { count: found.rows.length })}</p>`}<//>`;
}
