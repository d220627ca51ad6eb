// What arrives: scanned against the deliveries and transfers that are expected, good or damaged.

import { at, withQuery } from "../../lib/api.js";
import { readInTurn } from "../../lib/load.js";
import {
  Badge, Dialog, Failed, html, More, Section, Table, useEffect, useFirst, useRef, useState,
} from "../../lib/parts.js";
import { day, number, t } from "../../lib/text.js";
import { assigned, isOf, steps } from "./assign.js";
import { difference, Drop, isParcel, Leave, named, Problem, resolve, Scans, Units } from "./scans.js";
import { changeRow, goesOn, setWork, stepKeys, withRows, work } from "./work.js";

const PAGE = 200;

async function all(path, query, pick) {
  const found = [];
  let after = "";
  do {
    const page = await readInTurn(withQuery(path, { ...query, after, limit: PAGE }));
    found.push(...pick(page));
    after = page.next;
  } while (after);
  return found;
}

/** All names of a place: a transfer keeps the one under which it was sent. */
async function namesOf(location) {
  const { locations } = await readInTurn("/v1/locations?unregistered=true").catch((error) => {
    if (error.outcome !== "documents_missing") throw error;
    return readInTurn("/v1/locations"); // a server without documents knows the registered ones
  });
  const names = locations.map((each) => [each.location, ...(each.former_names ?? [])]);
  return names.find((some) => some.includes(location)) ?? [location];
}

/** What is still to come to a place: {supply, transfers}. */
async function expectedAt(location) {
  const names = await namesOf(location);
  const supply = await all("/v1/supply", { location }, (page) => page.supply);
  const transfers = await all("/v1/transfers", {}, (page) => page.transfers);
  return {
    supply: supply.filter((each) => each.expected > 0).sort((a, b) => (a.expected_on < b.expected_on ? -1 : 1)),
    transfers: transfers.filter((each) => names.includes(each.to)),
  };
}

const NOTHING = { supply: [], transfers: [] };

/** `reading` (`.current`): what the last reading will have found; a scan may come before its end. */
function useExpected(location) {
  const [found, setFound] = useState({ ...NOTHING, error: null, isRead: false });
  const reading = useRef(Promise.resolve(NOTHING));
  const read = () => {
    reading.current = expectedAt(location).then((expected) => {
      setFound({ ...expected, error: null, isRead: true });
      return expected;
    }, (error) => {
      setFound((before) => ({ ...before, error }));
      return NOTHING;
    });
  };
  useEffect(() => read(), [location]);
  return { ...found, again: read, reading };
}

/** All that is still to come in a parcel, as it was announced. */
async function takeParcel(text) {
  const begun = work.now;
  const parcel = await readInTurn(at`/v1/parcels/${text}`);
  const due = [
    ...parcel.supply.map((each) => ({ sku: each.sku, counted: each.expected, damaged: 0 })),
    ...(parcel.transfer?.lines ?? []).map((each) => ({ sku: each.sku, counted: each.in_transit, damaged: 0 })),
  ].filter((each) => each.counted > 0);
  const lines = [];
  for (const each of due) lines.push({ ...each, ...await named(each.sku) });
  if (!goesOn(begun)) return "";
  setWork({ ...work.now, rows: withRows(work.now.rows, lines) });
  return t("count.parcel_taken", { count: lines.length });
}

/** `isDue`: what was scanned is the SKU of something that is to come, which may never have been in stock. */
async function takeOne(text, isDue) {
  if (isParcel(text)) return takeParcel(text);
  const begun = work.now;
  const { sku, names, factor } = isDue ? { ...await named(text), factor: 1 } : await resolve(text);
  if (!goesOn(begun)) return "";
  const row = work.now.rows.find((each) => each.sku === sku) ?? { sku, counted: 0, damaged: 0 };
  const next = { ...row, names, counted: row.counted + factor };
  setWork({ ...work.now, rows: [next, ...work.now.rows.filter((each) => each.sku !== sku)] });
  return t("count.scanned", { sku, n: next.counted });
}

export function Receiving({ of, who, onLeave }) {
  const expected = useExpected(of.location);
  const [approves, approve] = useState(false);
  const { rows } = of;
  const first = useFirst(rows);
  const set = (sku, name) => (change) => changeRow(sku, (row) => ({ ...row, [name]: change(row[name]) }));
  const take = async (text) => {
    const due = toCome(await expected.reading.current);
    return takeOne(text, due.some((each) => each.sku === text));
  };
  const due = (row) => toCome(expected).filter(isOf(row)).reduce((sum, each) => sum + each.units, 0);
  const columns = [
    { name: "sku", title: t("count.product"), show: (row) =>
      html`<strong>${row.sku}</strong><${Problem} row=${row} />` },
    { name: "good", title: t("count.good"), show: (row) => html`<${Units} value=${row.counted}
      label=${t("count.units_of", { sku: row.sku })} onChange=${set(row.sku, "counted")} />` },
    { name: "damaged", title: t("count.damaged"), show: (row) => html`<${Units} value=${row.damaged}
      label=${t("count.damaged_of", { sku: row.sku })} onChange=${set(row.sku, "damaged")} />` },
    { name: "due", title: t("count.due"), show: (row) => html`${number(due(row))} <${Badge}
      tone=${row.counted + row.damaged === due(row) ? "good" : "warn"}>
      ${difference(row.counted + row.damaged - due(row))}<//>`, end: true },
    { name: "for", title: t("count.booked_on"), show: (row) => html`<ul class="plain">
      ${assigned(row, expected).map((each, i) => html`<li key=${i}>${piece(each)}</li>`)}</ul>` },
    { name: "drop", title: t("count.drop"), says: true, show: (row) => html`<${Drop} sku=${row.sku} />` },
  ];
  const arrived = rows.filter((row) => row.counted + row.damaged > 0);
  const actions = html`<button type="button" class="main" disabled=${!arrived.length || !expected.isRead}
      onClick=${() => approve(true)}>${t("count.receive")}</button>
    <${Leave} isEmpty=${!rows.length} onLeave=${onLeave} />`;
  const done = ({ reason }) => {
    const made = steps(arrived, expected, of.location, reason, stepKeys(of));
    const sending = { by: who, steps: made, notes: [], booked: 0 };
    setWork({ ...of, rows: [], sending });
  };
  return html`<${Section} title=${t("count.arrived_title")} count=${rows.length} actions=${actions}>
      <${Scans} onScan=${take} />
      <${Table} columns=${columns} rows=${first.rows} keyOf=${(row) => row.sku} empty=${t("count.scan_arrived")} />
      <${More} of=${first} /><//>
    <${Due} of=${expected} rows=${rows} />
    ${approves && html`<${Dialog} title=${t("count.receive")} reason doneTitle=${t("count.receive")} onDone=${done}
      onClose=${() => approve(false)}><p>${t("count.receives", { count: arrived.length })}</p><//>`}`;
}

function piece({ from, units, damaged }) {
  const n = units + damaged;
  if (!from) return t("count.not_expected", { n });
  return from.kind === "supply" ? t("count.of_delivery", { n, id: from.reference || from.id })
    : t("count.of_transfer", { n, place: from.place });
}

/** Every line that is still to come: of deliveries and of transfers. */
function toCome({ supply, transfers }) {
  return [
    ...supply.map((each) => ({ key: each.supply_id, sku: each.sku, units: each.expected, on: each.expected_on,
      from: each.reference || each.supply_id })),
    ...transfers.flatMap((each) => each.lines.filter((line) => line.in_transit > 0).map((line) => ({
      key: `${each.transfer_id} ${line.line}`, sku: line.sku, units: line.in_transit, on: each.shipped_at,
      from: t("count.from_place", { place: each.from }) }))),
  ];
}

function Due({ of, rows }) {
  const scanned = new Set(rows.flatMap(({ sku, names = [sku] }) => names));
  const lines = toCome(of);
  const first = useFirst(lines);
  const columns = [
    { name: "sku", title: t("count.product"), show: (row) => row.sku },
    { name: "units", title: t("count.due"), show: (row) => number(row.units), end: true },
    { name: "from", title: t("count.from"), show: (row) => row.from },
    { name: "on", title: t("count.due_on"), show: (row) => day(row.on) },
    { name: "here", title: t("count.scanned_title"), show: (row) => (scanned.has(row.sku)
      ? html`<${Badge} tone="good">${t("count.is_scanned")}<//>` : "") },
  ];
  if (of.error) return html`<${Failed} error=${of.error} again=${of.again} />`;
  return html`<${Section} title=${t("count.due_here")} count=${lines.length}><${Table} columns=${columns}
    rows=${first.rows} keyOf=${(row) => row.key} empty=${t("count.nothing_due")} /><${More} of=${first} /><//>`;
}
