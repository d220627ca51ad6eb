// A count: what was scanned against what is expected, and who becomes short by it.

import { withQuery } from "../../lib/api.js";
import { useLoad, usePages } from "../../lib/load.js";
import {
  Action, Badge, Dialog, html, Loaded, More, Section, Table, useFirst, useState,
} from "../../lib/parts.js";
import { to } from "../../lib/route.js";
import { number, t } from "../../lib/text.js";
import { difference, Drop, Leave, Problem, resolve, Scans, standing, Units } from "./scans.js";
import { changeRow, goesOn, setWork, stepKeys, work } from "./work.js";

const PART = 500; // movements in one request; the API takes 1,000

async function take(text) {
  const begun = work.now;
  const rowOf = (sku) => work.now?.rows.find((each) => each.sku === sku);
  const { sku, factor } = await resolve(text);
  const stands = rowOf(sku) ? {} : await standing(sku, begun.location);
  if (!goesOn(begun)) return "";
  const row = rowOf(sku) ?? { sku, counted: 0, damaged: 0, ...stands };
  const next = { ...row, counted: row.counted + factor };
  setWork({ ...work.now, rows: [next, ...work.now.rows.filter((each) => each.sku !== sku)] });
  return t("count.scanned", { sku, n: next.counted });
}

export function Counting({ of, who, onLeave }) {
  const [approves, approve] = useState(false);
  const { rows, location } = of;
  const differ = rows.filter((row) => row.counted !== row.expected);
  const first = useFirst(rows);
  const columns = [
    { name: "sku", title: t("count.product"), show: (row) =>
      html`<strong>${row.sku}</strong><${Problem} row=${row} />` },
    { name: "counted", title: t("count.counted"), show: (row) => html`<${Units} value=${row.counted}
      label=${t("count.units_of", { sku: row.sku })}
      onChange=${(change) => changeRow(row.sku, (each) => ({ ...each, counted: change(each.counted) }))} />` },
    { name: "expected", title: t("count.expected"), show: (row) => number(row.expected), end: true },
    { name: "differs", title: t("count.differs"), end: true, show: (row) => html`<${Badge}
      tone=${row.counted === row.expected ? "good" : "warn"}>${difference(row.counted - row.expected)}<//>` },
    { name: "drop", title: t("count.drop"), says: true, show: (row) => html`<${Drop} sku=${row.sku} />` },
  ];
  const actions = html`<button type="button" class="main" disabled=${!rows.length} onClick=${() => approve(true)}>
      ${t("count.approve")}</button><${Leave} isEmpty=${!rows.length} onLeave=${onLeave} />`;
  return html`<${Section} title=${t("count.scanned_title")} count=${rows.length} actions=${actions}>
      <${Scans} onScan=${take} />
      <${Table} columns=${columns} rows=${first.rows} keyOf=${(row) => row.sku} empty=${t("count.scan_first")} />
      <${More} of=${first} /><//>
    ${rows.length > 0 && html`<${Differences} rows=${differ} location=${location} />`}
    <${NotCounted} location=${location} rows=${rows} />
    ${approves && html`<${Approve} of=${of} who=${who} differ=${differ} onClose=${() => approve(false)} />`}`;
}

function Differences({ rows, location }) {
  const first = useFirst(rows); // each asks who becomes short by it
  const columns = [
    { name: "sku", title: t("count.product"), show: (row) => row.sku },
    { name: "change", title: t("count.change"), show: (row) => `${number(row.expected)} → ${number(row.counted)}` },
    { name: "short", title: t("count.who_lacks"), show: (row) => (row.counted < row.expected
      ? html`<${WouldLack} row=${row} location=${location} />` : t("count.nobody")) },
  ];
  return html`<${Section} title=${t("count.differences")} count=${rows.length}><${Table} columns=${columns}
    rows=${first.rows} keyOf=${(row) => row.sku} address=${(row) => to("product", [row.sku])}
    empty=${t("count.no_difference")} /><${More} of=${first} /><//>`;
}

/** Who lacks units if this count is sent. */
function WouldLack({ row, location }) {
  const fewer = row.expected - row.counted;
  const found = useLoad(withQuery("/v1/shortages/preview", { sku: row.sku, location, fewer }), { live: row.sku });
  return html`<${Loaded} of=${found}>${({ shortages }) => {
    const lines = shortages.flatMap((each) => each.lines);
    if (!lines.length) return t("count.nobody");
    return html`<ul class="plain">${lines.map((line) => html`<li key=${`${line.reservation_id} ${line.line}`}>
      ${t("count.lacks", { order: line.order_ref || line.reservation_id, channel: line.channel, n: line.lacks })}
      ${line.other_locations?.length > 0 &&
        html` <small>${t("count.elsewhere", { place: line.other_locations[0].location })}</small>`}</li>`)}</ul>`;
  }}<//>`;
}

/** What should lie there and was not scanned: it stays as it is, unless somebody says that there is none. */
function NotCounted({ location, rows }) {
  const [isOpen, open] = useState(false);
  const path = isOpen ? withQuery("/v1/skus", { location, sort: "sku", limit: 200 }) : null;
  const found = usePages(path, (page) => page.skus);
  const scanned = new Set(rows.map((row) => row.sku));
  const left = found.rows.filter((each) => each.on_hand !== 0 && !scanned.has(each.sku));
  const none = async (sku) => {
    const begun = work.now;
    const stands = await standing(sku, location);
    if (!goesOn(begun) || work.now.rows.some((each) => each.sku === sku)) return; // it was scanned meanwhile
    setWork({ ...work.now, rows: [{ sku, counted: 0, damaged: 0, ...stands }, ...work.now.rows] });
  };
  const columns = [
    { name: "sku", title: t("count.product"), show: (row) => row.sku },
    { name: "expected", title: t("count.expected"), show: (row) => number(row.on_hand), end: true },
    { name: "none", title: t("count.none_there"), says: true, show: (row) => html`<${Action}
      onAct=${() => none(row.sku)} aria-label=${t("count.none_of", { sku: row.sku })}>${t("count.none_there")}<//>` },
  ];
  const actions = html`<button type="button" aria-expanded=${isOpen} onClick=${() => open(!isOpen)}>
    ${isOpen ? t("count.hide") : t("count.show")}</button>`;
  return html`<${Section} title=${t("count.not_counted")} actions=${actions}>
    <p class="soft">${t("count.not_counted_text")}</p>
    ${isOpen && html`<${Loaded} of=${found}>${() => html`<${Table} columns=${columns} rows=${left}
      keyOf=${(row) => row.sku} empty=${t("count.all_counted")} /><${More} of=${found} />`}<//>`}<//>`;
}

/** Makes of rows what is sent: some hundred counts at a time. */
function steps(of, reason) {
  const { rows, location } = of;
  const nextKey = stepKeys(of);
  const parts = [];
  for (let first = 0; first < rows.length; first += PART) parts.push(rows.slice(first, first + PART));
  return parts.map((part) => ({
    path: "/v1/stock/movements",
    key: nextKey(),
    rows: part,
    body: { movements: part.map(({ sku, counted, baseline_seq, counted_at, isMeant: allow_similar }) => (
      { kind: "count", sku, location, on_hand: counted, baseline_seq, counted_at, reason, allow_similar }
    )) },
  }));
}

function Approve({ of, who, differ, onClose }) {
  const done = ({ reason }) => {
    const sending = { by: who, steps: steps(of, reason), notes: [], booked: 0 };
    setWork({ ...of, rows: [], sending });
  };
  return html`<${Dialog} title=${t("count.approve")} reason doneTitle=${t("count.approve")} onDone=${done}
    onClose=${onClose}><p>${t("count.approves", { count: of.rows.length })} ${t("count.of_them_differ",
      { count: differ.length })}</p><p class="soft">${t("count.moved_since")}</p><//>`;
}
