// Today: what a person has to know and do now.

import { useLoad } from "../lib/load.js";
import { Badge, Flags, html, Light, Loaded, Section, Table, Title } from "../lib/parts.js";
import { to } from "../lib/route.js";
import { ago, day, number, t, when, words } from "../lib/text.js";
import { Channels } from "./today/channels.js";
import { lacking, low, soldOut } from "./today/concerns.js";
import { Needs } from "./today/needs.js";

const FEW = 20;
const SHORT = { live: lacking, every: 15000, pause: 3000 };
const OUT = { live: soldOut, every: 30000, pause: 5000 };
const LOW = { live: low, every: 30000, pause: 5000 };
const SELDOM = { live: true, every: 30000, pause: 10000 };
const STANDING = { every: 5000 }; // no change of stock tells of it

const count = (rows, next) => (next ? null : rows.length);

function Line({ line }) {
  const from = line.other_locations ?? [];
  return html`<li><a href=${to("orders", [line.reservation_id])}>${line.order_ref || line.reservation_id}</a>
    ${" "}<span class="soft">${line.channel}, ${ago(line.created_at)}</span> <${Flags} flags=${line.flags} />${" "}
    <strong>${t("today.lacks", { count: line.lacks })}</strong>${from.length > 0 && html`,${" "}
      ${t("today.could_come", { place: from[0].location, count: from[0].available })}`}</li>`;
}

function Short({ of }) {
  const columns = [
    { name: "sku", title: t("today.product"), show: (row) => row.sku },
    { name: "location", title: t("today.place"), show: (row) => row.location },
    { name: "short", title: t("today.missing"), end: true,
      show: (row) => html`<${Badge} tone="bad">${number(row.short)}<//>` },
    { name: "orders", title: t("today.orders"), show: (row) => html`<ul class="plain">${row.lines.slice(0, 5).map(
      (line) => html`<${Line} key=${line.reservation_id + line.line} line=${line} />`)}</ul>` },
  ];
  return html`<${Loaded} of=${of}>${({ shortages, next }) => html`
    <${Section} id="short" title=${t("today.short")} count=${count(shortages, next)}>
      <${Table} columns=${columns} rows=${shortages} keyOf=${(row) => `${row.sku} ${row.location}`}
        address=${(row) => to("product", [row.sku])} empty=${t("today.nothing_short")} />
      ${next && html`<p class="soft">${t("today.and_more")}</p>`}<//>`}<//>`;
}

function Inbox({ of }) {
  const columns = [
    { name: "number", title: t("today.order"), show: (row) => row.number },
    { name: "channel", title: t("today.channel"), show: (row) => html`${row.channel} <${Flags} flags=${row.flags} />` },
    { name: "reason", title: t("today.why"), show: (row) => html`${words("today.reasons", row.reason)}
      ${row.listings.length > 0 && html`: ${row.listings.join(", ")}`}
      ${row.detail && html`<br /><small>${row.detail}</small>`}` },
    { name: "first", title: t("today.since"), show: (row) => ago(row.first_at) },
  ];
  if (of.error?.outcome === "documents_missing") return null;
  return html`<${Loaded} of=${of}>${({ entries, next }) => html`
    <${Section} id="inbox" title=${t("today.inbox")} count=${count(entries, next)}>
      <${Table} columns=${columns} rows=${entries} keyOf=${(row) => `${row.channel} ${row.number}`}
        address=${() => to("orders", [], { tab: "inbox" })} empty=${t("today.inbox_empty")} />
      ${next && html`<p class="soft">${t("today.and_more")}</p>`}<//>`}<//>`;
}

function Few({ id, title, of, empty }) {
  const columns = [
    { name: "sku", title: t("today.product"), show: (row) => row.sku },
    { name: "available", title: t("today.available"), end: true, show: (row) => number(row.available) },
    { name: "on_hand", title: t("today.on_shelf"), end: true, show: (row) => number(row.on_hand) },
    { name: "reserved", title: t("today.reserved"), end: true, show: (row) => number(row.held + row.committed) },
  ];
  if (of.error?.outcome === "documents_missing") return null;
  return html`<${Loaded} of=${of}>${({ skus, next }) => html`
    <${Section} id=${id} title=${title} count=${count(skus, next)}>
      <${Table} columns=${columns} rows=${skus} keyOf=${(row) => row.sku} empty=${empty}
        address=${(row) => to("product", [row.sku])} />
      ${next && html`<p class="soft">${t("today.and_more")}</p>`}<//>`}<//>`;
}

function Due({ of, may }) {
  const deliveries = [
    { name: "sku", title: t("today.product"), show: (row) => row.sku },
    { name: "expected", title: t("today.units"), end: true, show: (row) => number(row.expected) },
    { name: "location", title: t("today.place"), show: (row) => row.location },
    { name: "on", title: t("today.day"), show: (row) => html`${day(row.expected_on)}
      ${row.expected_on < of.data.today && html` <${Badge} tone="warn">${t("today.late")}<//>`}` },
    { name: "reference", title: t("today.reference"), show: (row) => row.reference || row.supply_id },
  ];
  const holds = [
    { name: "order", title: t("today.order"), show: (row) => row.order_ref || row.reservation_id },
    { name: "channel", title: t("today.channel"), show: (row) => row.channel },
    { name: "units", title: t("today.units"), end: true, show: (row) => number(row.units) },
    { name: "until", title: t("today.lapses"), show: (row) => ago(row.expires_at) },
  ];
  const receive = may("stock") && html`<a href=${to("count")}>${t("today.receive")}</a>`;
  return html`<${Loaded} of=${of}>${(now) => html`
    <${Books} books=${now.books} />
    <${Section} id="deliveries" title=${t("today.deliveries")} count=${now.deliveries_total}
      actions=${now.deliveries_total > 0 && receive}>
      <${Table} columns=${deliveries} rows=${now.deliveries} keyOf=${(row) => row.supply_id}
        address=${(row) => to("product", [row.sku])} empty=${t("today.no_deliveries")} />
      ${now.deliveries_total > now.deliveries.length && html`<p class="soft">${t("today.and_more")}</p>`}<//>
    <${Section} id="holds" title=${t("today.holds")} count=${now.lapsing_total}>
      <${Table} columns=${holds} rows=${now.lapsing} keyOf=${(row) => row.reservation_id}
        address=${(row) => to("orders", [row.reservation_id])} empty=${t("today.no_holds")} />
      ${now.lapsing_total > now.lapsing.length && html`<p class="soft">${t("today.and_more")}</p>`}<//>`}<//>`;
}

function Books({ books }) {
  const tone = books.checked_at === null ? "quiet" : books.agree ? "good" : "bad";
  return html`<${Section} id="books" title=${t("today.books")}>
    <p><${Light} tone=${tone}>${books.checked_at === null ? t("today.never_checked")
      : books.agree ? t("today.agree", { time: when(books.checked_at) })
      : t("today.disagree", { count: books.drift_units, time: when(books.checked_at) })}<//></p><//>`;
}

export default function Today({ may }) {
  const short = useLoad(`/v1/shortages?limit=${FEW}`, SHORT);
  const channels = useLoad("/v1/channels", STANDING);
  const inbox = useLoad(`/v1/inbox?limit=${FEW}`, STANDING);
  const out = useLoad(`/v1/skus?state=out&sort=-changed&limit=${FEW}`, OUT);
  const few = useLoad(`/v1/skus?state=low&limit=${FEW}`, LOW);
  const due = useLoad("/v1/today", SELDOM);
  return html`<${Title}>${t("today.title")}<//>
    <${Needs} reads=${{ short, channels, inbox, out, due }} />
    <${Short} of=${short} />
    <${Channels} of=${channels} />
    <${Inbox} of=${inbox} />
    <div class="grid">
      <${Few} id="low" title=${t("today.low")} of=${few} empty=${t("today.none_low")} />
      <${Few} id="out" title=${t("today.out")} of=${out} empty=${t("today.none_out")} />
    </div>
    <${Due} of=${due} may=${may} />`;
}
