// A reservation: its lines, where each comes from, and what can be done with it.

import { Badge, Flags, html, Section, Table, useState } from "../../lib/parts.js";
import { to } from "../../lib/route.js";
import { number, t, when, words } from "../../lib/text.js";
import { Cancel, Exchange, MapLine, Move, Release, Return, Ship } from "./actions.js";
import { ComesFrom } from "./comes_from.js";
import { State } from "./words.js";

const PARTS = ["held", "committed", "backordered", "fulfilled", "returned", "released", "expired"];

const sum = (lines, part) => lines.reduce((units, line) => units + (line[part] ?? 0), 0);

const isUnknown = (line) => line.mode === "unmapped";

/** A state; of one that waits for nothing but to be told what was sold, that. */
const stateOf = ({ state, lines }) => (state === "backordered" && lines.some(isUnknown)
  && lines.every((line) => isUnknown(line) || !line.backordered) ? "unmapped" : state);

/** How far the units of a line are: "2 ordered, 1 shipped". */
const How = ({ line }) => PARTS.filter((part) => line[part]).map((part) => html`<div key=${part}>
  ${number(line[part])} ${words("orders.how", part === "backordered" && isUnknown(line) ? "unmapped" : part)}</div>`);

const Lacks = ({ lacks, may, onDone }) => lacks.map((each, i) => html`<div key=${i}>
  <${Badge} tone="bad">${t("orders.lacks", { count: each.lacks })}<//>
  ${!each.certain && html` <span class="soft">${t("orders.guessed")}</span>`}
  <${ComesFrom} lack=${each} may=${may} onDone=${onDone} /></div>`);

function Buttons({ reservation, may, ask }) {
  if (!may("reserve")) return null;
  const { lines } = reservation;
  const button = (name, title, tone = "") =>
    html`<button type="button" class=${tone} onClick=${() => ask({ name })}>${title}</button>`;
  return html`
    ${sum(lines, "committed") > 0 && button("ship", t("orders.ship"), "main")}
    ${sum(lines, "fulfilled") > sum(lines, "returned") &&
      html`${button("return", t("orders.return"))}${button("exchange", t("orders.exchange"))}`}
    ${sum(lines, "held") > 0 && button("release", t("orders.release"))}
    ${sum(lines, "committed") + (reservation.state !== "held" ? sum(lines, "backordered") : 0) > 0 &&
      button("cancel", t("orders.cancel_lines"))}`;
}

const DIALOGS = {
  ship: Ship, cancel: Cancel, release: Release, return: Return, exchange: Exchange, move: Move, map: MapLine,
};

/** `shortages`: what its lines lack. `onDone`: something was changed. */
export function Reservation({ reservation, shortages, may, onDone, title }) {
  const [asked, ask] = useState(null);
  const id = reservation.reservation_id;
  const lacks = (line) => shortages.filter((each) => each.reservation_id === id && each.line === line.line);
  const doing = (line) => html`<div class="actions">
    ${isUnknown(line) && html`<button type="button" class="main" onClick=${() => ask({ name: "map", line })}>
      ${t("orders.map")}</button>`}
    ${line.location && line.held + line.committed > 0 && html`<button type="button"
      onClick=${() => ask({ name: "move", line })}>${t("orders.move")}</button>`}</div>`;
  const columns = [
    { name: "sku", title: t("orders.sku"), show: (line) => html`${line.sku}
      ${line.mode && html` <${Badge} tone=${isUnknown(line) ? "bad" : "quiet"}>
        ${words("orders.modes", line.mode)}<//>`}
      ${line.text && html`<div class="soft">${t("orders.as_sold", { text: line.text })}</div>`}` },
    { name: "place", title: t("orders.comes_from"), show: (line) => line.location || "–" },
    { name: "units", title: t("orders.units"), show: (line) => number(line.quantity), end: true },
    { name: "how", title: t("orders.state"), show: (line) => html`<${How} line=${line} />
      ${line.promise_on && html`<div class="soft">${t("orders.promised", { day: line.promise_on })}</div>`}` },
    { name: "lacks", title: t("orders.lacking"), show: (line) =>
      html`<${Lacks} lacks=${lacks(line)} may=${may} onDone=${onDone} />` },
    ...(may("reserve") ? [{ name: "do", title: t("orders.what_to_do"), says: true, show: doing }] : []),
  ];
  const Asked = asked && DIALOGS[asked.name];
  const buttons = html`<${Buttons} reservation=${reservation} may=${may} ask=${ask} />`;
  return html`<${Section} title=${title} actions=${buttons}>
    <p><${State} state=${stateOf(reservation)} /> <${Flags} flags=${reservation.flags} />
      ${reservation.expires_at && html` ${t("orders.held_until_at", { at: when(reservation.expires_at) })}`}</p>
    <${Table} columns=${columns} rows=${reservation.lines} keyOf=${(line) => line.line}
      address=${(line) => (isUnknown(line) ? null : to("product", [line.sku]))} />
    <${Notes} notes=${reservation.notes ?? {}} />
    ${Asked && html`<${Asked} reservation=${reservation} line=${asked.line} may=${may} onDone=${onDone}
      onClose=${() => ask(null)} />`}<//>`;
}

/** What was written with a change: tracking, carrier, invoice, reasons. */
function Notes({ notes }) {
  const entries = Object.entries(notes);
  return entries.length > 0 && html`<dl>${entries.map(([name, text]) => html`
    <dt key=${`${name}t`}>${words("orders.notes", name)}</dt><dd key=${name}>${text}</dd>`)}</dl>`;
}
