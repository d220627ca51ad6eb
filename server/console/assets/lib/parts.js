// What screens are made of. Everything shown is a text node: no part takes markup.

import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { Refused } from "./api.js";
import { scanWatch } from "./keys.js";
import { number, t, words } from "./text.js";
import { value, useValue } from "./value.js";

export { html, useEffect, useRef, useState };

// -- messages

const said = value([]);
let lastSaid = 0;

/** Says something for some seconds, to readers of the screen, too. `tone`: "good" or "bad". */
export function say(text, tone = "good") {
  const id = ++lastSaid;
  said.set([...said.now, { id, text, tone }]);
  setTimeout(() => said.set(said.now.filter((each) => each.id !== id)), tone === "bad" ? 10000 : 5000);
}

export function Said() {
  return html`<div class="said" role="status" aria-live="polite">
    ${useValue(said).map((each) => html`<p key=${each.id} class="note ${each.tone}">${each.text}</p>`)}
  </div>`;
}

/** What a refusal says to a person, in their language where it is a usual one, and then the server's own words. */
export function explain(error) {
  if (!(error instanceof Refused)) return String(error?.message ?? error);
  const title = words("frame.outcomes", error.outcome);
  return title === error.outcome ? error.title || title : title;
}

/** An error in place of what should be there, with a way to try again. */
export function Failed({ error, again }) {
  const faults = error.errors?.map((each) => `${each.field}: ${each.rule ?? each.reason ?? ""}`) ?? [];
  return html`<div class="note bad" role="alert">
    <strong>${explain(error)}</strong>
    ${error.detail && html`<p lang="en">${error.detail}</p>`}
    ${faults.length > 1 && html`<ul lang="en">${faults.map((each) => html`<li>${each}</li>`)}</ul>`}
    ${again && html`<p><button type="button" onClick=${again}>${t("frame.again")}</button></p>`}
  </div>`;
}

/** Shows what a useLoad has: its error, that it is being read, or `children(data)`. */
export function Loaded({ of, children }) {
  if (of.error && !of.data) return html`<${Failed} error=${of.error} again=${of.again} />`;
  if (!of.data) return html`<p class="busy" aria-busy="true">${t("frame.loading")}</p>`;
  return html`${of.error && html`<${Failed} error=${of.error} again=${of.again} />`}${children(of.data)}`;
}

// -- small parts

/** A word that stands out. `tone`: good, warn, bad or quiet; the word says it, too, not the colour alone. */
export const Badge = ({ tone = "quiet", children, title }) =>
  html`<span class="badge ${tone}" title=${title}>${children}</span>`;

/** A light: good, warn, bad or quiet, with what it means as its text. */
export const Light = ({ tone, children }) =>
  html`<span class="light ${tone}"><span class="lamp" aria-hidden="true"></span>${children}</span>`;

/** Marks of an order that somebody has to know of: VIP, gift, repeat, return. */
export const Flags = ({ flags = [] }) =>
  flags.map((flag) => html`<${Badge} key=${flag} tone="warn">${words("frame.flags", flag)}<//> `);

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

/** A part of a screen with a heading, and beside it what can be done. */
export function Section({ title, count, actions, children, id }) {
  return html`<section aria-labelledby=${id && `${id}-title`} id=${id}>
    <header><h2 id=${id && `${id}-title`} tabindex=${id && "-1"}>${title}
      ${count != null && html` <span class="count">${number(count)}</span>`}</h2>
      ${actions && html`<div class="actions">${actions}</div>`}</header>
    ${children}
  </section>`;
}

/**
 * A table. `columns`: [{name, title, show(row), end, says}]; `end` for numbers. On a phone each row is a card, which
 * repeats the titles, but for what `says` itself what it is, as a button does. `address(row)`: where a row leads.
 */
export function Table({ columns, rows, keyOf, address, caption, empty }) {
  if (!rows.length) return html`<${Empty}>${empty ?? t("frame.nothing")}<//>`;
  const cell = (row, column, first) => {
    const shown = column.show(row);
    const to = first && address?.(row);
    const title = column.says ? undefined : column.title;
    return html`<td key=${column.name} class=${column.end ? "end" : ""} data-title=${title}>
      <div class="cell">${to ? html`<a href=${to}>${shown}</a>` : shown}</div></td>`;
  };
  return html`<div class="scroll"><table>
    ${caption && html`<caption>${caption}</caption>`}
    <thead><tr>${columns.map((each) =>
      html`<th key=${each.name} scope="col" class=${each.end ? "end" : ""}>${each.title}</th>`)}</tr></thead>
    <tbody>${rows.map((row, i) => html`<tr key=${keyOf ? keyOf(row) : i}>
      ${columns.map((each, j) => cell(row, each, j === 0))}</tr>`)}</tbody>
  </table></div>`;
}

const FIRST = 50; // rows; with thousands drawn, a scan would take a second

/** The first rows of a long list: {rows, more}; `more` shows as many again, and is null where all are shown. */
export function useFirst(all) {
  const [count, show] = useState(FIRST);
  return { rows: all.slice(0, count), more: count < all.length ? () => show(count + FIRST) : null };
}

/** The button below a list of usePages, or of useFirst. */
export const More = ({ of }) =>
  of.more && html`<p><${Action} onAct=${of.more}>${t("frame.more")}<//></p>`;

/** Tells whether a component is gone (`.current`): what comes of its work has to be said elsewhere then. */
export function useGone() {
  const gone = useRef(false);
  useEffect(() => () => (gone.current = true), []);
  return gone;
}

// -- input

let lastId = 0;

/** A labelled input. `as`: "input", "select" or "textarea"; the other attributes are the element's. */
export function Field({ label, hint, as = "input", children, onValue, ...rest }) {
  const [id] = useState(() => `f${++lastId}`);
  const hintId = hint ? `${id}h` : undefined;
  const told = onValue && ((event) => onValue(event.currentTarget.value));
  return html`<div class="field"><label for=${id}>${label}</label>
    <${as} id=${id} aria-describedby=${hintId} onInput=${told} ...${rest}>${children}<//>
    ${hint && html`<small id=${hintId}>${hint}</small>`}</div>`;
}

/** A button whose work takes time: it cannot be pressed twice meanwhile, and says why it failed. */
export function Action({ onAct, children, tone = "", ...rest }) {
  const [busy, setBusy] = useState(false);
  const press = async () => {
    setBusy(true);
    try {
      await onAct();
    } catch (error) {
      say(`${explain(error)} ${error.detail ?? ""}`, "bad");
    } finally {
      setBusy(false);
    }
  };
  return html`<button type="button" class=${tone} disabled=${busy} aria-busy=${busy} onClick=${press} ...${rest}>
    ${children}</button>`;
}

const REASON_MAX = 128; // letters: the API takes 256 bytes, and ş and ț have two

/** Whether a scan may stand in a field: in a text that is no reason. */
const takesScan = (field) => field.matches("input:not([type]), input[type=text], input[type=search], textarea")
  && field.name !== "reason";

/** A scan fills in a field and goes on to the next one; it presses nothing. */
function goOn(field) {
  const fields = [...field.form.querySelectorAll("input, select, textarea, button[type=submit]")];
  const next = fields[fields.indexOf(field) + 1];
  next?.focus();
  if (next?.matches("input, textarea")) next.select(); // what is typed takes the place of what stands there
}

/** Takes a scan that has gone astray out of a field again. */
function takeOut(field, before) {
  if (!field.matches("input, textarea")) return;
  field.value = before;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

/**
 * A dialog. `onDone(values)` gets the values of its named fields and may return a promise: when it has succeeded the
 * dialog closes, else it says why. Where `reason` is true, it asks why, and `values.reason` has the answer; where it
 * is "maybe", nobody has to say it: what happens all day long has its reason in itself.
 */
export function Dialog({ title, children, doneTitle, onDone, onClose, reason = false, tone = "" }) {
  const dialog = useRef(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const gone = useGone();
  const [watch] = useState(scanWatch);
  const pressed = (event) => {
    const scan = watch(event);
    if (!scan) return;
    event.preventDefault();
    if (takesScan(event.target)) {
      goOn(event.target);
      return;
    }
    takeOut(event.target, scan.before);
    setError(new Refused(0, { title: t("frame.scan_not_here") }));
  };
  useEffect(() => {
    const opener = document.activeElement;
    dialog.current.showModal();
    return () => opener?.focus?.();
  }, []);
  const submit = async (event) => {
    event.preventDefault();
    if (busy) return; // a scanner's Enter may come twice
    setBusy(true);
    setError(null);
    try {
      const values = Object.fromEntries(new FormData(event.currentTarget));
      await onDone(reason ? { ...values, reason: values.reason.trim() } : values);
      if (!gone.current) onClose(); // else it would close the next one
    } catch (fault) {
      if (gone.current) say(`${title}: ${explain(fault)} ${fault.detail ?? ""}`, "bad");
      setError(fault);
      setBusy(false);
    }
  };
  return html`<dialog ref=${dialog} aria-labelledby="dialog-title" onClose=${onClose}>
    <form onSubmit=${submit} onKeyDown=${pressed}>
      <h2 id="dialog-title">${title}</h2>
      ${children}
      ${reason && html`<${Field} label=${t("frame.reason")} name="reason" autocomplete="off" maxlength=${REASON_MAX}
        pattern=".*\\S.*" required=${reason !== "maybe"}
        hint=${reason === "maybe" ? t("frame.reason_maybe") : t("frame.reason_hint")} />`}
      ${error && html`<${Failed} error=${error} />`}
      <div class="actions">
        <button type="button" onClick=${onClose}>${t("frame.cancel")}</button>
        <button type="submit" class=${tone || "main"} disabled=${busy} aria-busy=${busy}>
          ${doneTitle ?? t("frame.save")}</button>
      </div>
    </form>
  </dialog>`;
}

/** The heading of a screen; it has the focus when the screen is opened. */
export function Title({ children, actions }) {
  useEffect(() => {
    document.title = `${[children].flat().join("")} – Holdfast`;
  });
  return html`<header class="title"><h1 tabindex="-1">${children}</h1>
    ${actions && html`<div class="actions">${actions}</div>`}</header>`;
}
