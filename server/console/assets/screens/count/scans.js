// Scans: what was scanned, one after the other, however fast they come.

import { at, post } from "../../lib/api.js";
import { scanned, scanWatch, useScan } from "../../lib/keys.js";
import { readInTurn } from "../../lib/load.js";
import { Action, explain, Field, html, say, useEffect, useRef, useState } from "../../lib/parts.js";
import { number, t, words } from "../../lib/text.js";
import { WhatIsIt } from "./what_is_it.js";
import { changeRow, dropRow } from "./work.js";

export const UNITS_MAX = 999_999; // more is a barcode that went into a field for units
const SKU_MAX = 128;
const PARCEL = /^(\]C1)?(\(00\)|00)?\d{18}$/;

export const isParcel = (text) => PARCEL.test(text);
const isLabel = (text) => text.length > SKU_MAX || /^[(\]]/.test(text) || text.includes("\u001d");

const known = new Map(); // what was scanned → {sku, names, factor}: the second scan of a product asks nobody

/** What a SKU is called now, and all its names: an old label has another one than a new label and what is due. */
export async function named(text) {
  const { sku, former_names: former = [] } = await readInTurn(at`/v1/skus/${text}`);
  return { sku, names: [sku, ...former] };
}

/** Finds what was scanned: a SKU, or the units of one that a barcode or a label stands for. Throws Refused. */
async function resolved(text) {
  if (!isLabel(text)) {
    const found = await post("/v1/availability/query", { skus: [text], locations: false });
    if (!found.unknown.length) return { ...await named(text), factor: 1 };
  }
  const { sku, factor } = await readInTurn(at`/v1/barcodes/${text}`);
  return { ...await named(sku), factor };
}

export async function resolve(text) {
  if (!known.has(text)) known.set(text, await resolved(text));
  return known.get(text);
}

/** What lies at a place now, and from when on a count holds: what moves after it is added by the server. */
export async function standing(sku, location) {
  const { unknown } = await post("/v1/availability/query", { skus: [sku], locations: false });
  if (unknown.length) return { expected: 0 };
  const found = await readInTurn(at`/v1/stock/${sku}`);
  const level = found.levels.find((each) => each.location === location);
  return level ? { expected: level.on_hand, baseline_seq: level.seq } : { expected: 0, counted_at: found.as_of };
}

/** Forgets what scans stand for: it may be another partition, and barcodes change hands. */
export const forgetScans = () => known.clear();

/** Remembers what a scan stands for, once somebody has said it. */
const learn = async (text, { sku, factor }) => known.set(text, { ...await named(sku), factor });

/** A field for scans, which also takes those that no field takes. `onScan(text)` may take its time. */
export function Scans({ onScan }) {
  const [said, setSaid] = useState("");
  const [unknown, setUnknown] = useState([]);
  const [asked, ask] = useState("");
  const forget = (text) => setUnknown((before) => before.filter((each) => each !== text));
  const chain = useRef(Promise.resolve());
  const newest = useRef(onScan);
  newest.current = onScan;
  const [take] = useState(() => (scanned) => {
    const text = scanned.trim();
    if (!text) return;
    chain.current = chain.current.then(async () => {
      try {
        setSaid(await newest.current(text));
      } catch (error) {
        setSaid("");
        if (error.outcome === "unknown_barcode") setUnknown((before) => [...new Set([...before, text])]);
        else say(t("count.not_taken", { text, why: misread(error) ?? explain(error) }), "bad");
      }
    });
  });
  useScan(take);
  useEffect(() => () => (newest.current = async () => ""), []);
  const submit = (event) => {
    event.preventDefault();
    const field = event.currentTarget.elements.scan;
    take(field.value);
    field.value = "";
    field.focus();
  };
  return html`<form class="filters" onSubmit=${submit}>
      <${Field} label=${t("count.scan")} hint=${t("count.scan_hint")} name="scan" autocomplete="off"
        autocapitalize="off" spellcheck=${false} enterkeyhint="done" data-scan />
      <button type="submit">${t("count.add")}</button>
    </form>
    <p class="scanned" role="status">${said}</p>
    <div role="status">${unknown.map((text) => html`<div key=${text} class="note bad">
      <p>${t("count.not_taken", { text, why: words("frame.outcomes", "unknown_barcode") })}</p>
      <div class="actions"><button type="button" onClick=${() => ask(text)}>${t("count.say_what")}</button>
        <button type="button" onClick=${() => forget(text)}>${t("count.let_be")}</button></div></div>`)}</div>
    ${asked && html`<${WhatIsIt} text=${asked} onClose=${() => ask("")} onDone=${async (text, what) => {
      await learn(text, what);
      forget(text);
      take(text);
    }} />`}`;
}

/** What to say of a scan that can be no barcode: the scanner has not read it well. */
const misread = (error) => (error.outcome === "invalid" ? t("count.misread") : null);

/**
 * Units that were counted: typed, or one more or less. `onChange` gets what makes the new number of the old one. What
 * is typed counts when it is done. A scan that goes astray into this field is no number of units: it is scanned.
 */
export function Units({ value, label, onChange }) {
  const [draft, setDraft] = useState(null); // what is being typed stays when the table is drawn anew
  const typed = (event) => {
    const field = event.currentTarget;
    const units = Number(field.value);
    const isNumber = field.value !== "" && Number.isInteger(units);
    if (isNumber && units >= 0 && units <= UNITS_MAX) onChange(() => units);
    else field.value = value;
    setDraft(null);
  };
  const [watch] = useState(scanWatch);
  const entered = (event) => {
    const scan = watch(event);
    if (scan) {
      event.preventDefault();
      event.currentTarget.value = value;
      setDraft(null);
      scanned(scan.text);
    }
    if (event.key === "Enter") document.querySelector("[data-scan]")?.focus();
  };
  return html`<span class="units">
    <button type="button" aria-label=${t("count.less", { label })} disabled=${value === 0}
      onClick=${() => onChange((units) => Math.max(0, units - 1))}>−</button>
    <input type="number" inputmode="numeric" min="0" max=${UNITS_MAX} step="1" aria-label=${label}
      value=${draft ?? value} onInput=${(event) => setDraft(event.currentTarget.value)} onChange=${typed}
      onKeyDown=${entered} />
    <button type="button" aria-label=${t("count.more", { label })} disabled=${value >= UNITS_MAX}
      onClick=${() => onChange((units) => units + 1)}>+</button>
  </span>`;
}

export const Drop = ({ sku }) => html`<button type="button" aria-label=${t("count.drop_of", { sku })}
  onClick=${() => dropRow(sku)}>${t("count.drop")}</button>`;

/** Why a row came back; a name that is new may be meant. */
export const Problem = ({ row }) => row.problem && html`<div class="note bad"><p>${row.problem}</p>
  ${row.asks && html`<button type="button" onClick=${() => changeRow(row.sku, (each) =>
    ({ ...each, problem: "", asks: false, isMeant: true }))}>${t("count.is_meant")}</button>`}</div>`;

export const difference = (units) => (units > 0 ? `+${number(units)}` : number(units));

/** Leaves what was begun, and asks first. */
export function Leave({ isEmpty, onLeave }) {
  const [asks, ask] = useState(false);
  if (isEmpty) return html`<button type="button" onClick=${onLeave}>${t("count.leave")}</button>`;
  return asks ? html`<${Action} key="sure" tone="bad" onAct=${onLeave}>${t("count.leave_sure")}<//>
      <button key="go" type="button" onClick=${() => ask(false)}>${t("count.go_on")}</button>`
    : html`<button key="leave" type="button" onClick=${() => ask(true)}>${t("count.leave")}</button>`;
}
