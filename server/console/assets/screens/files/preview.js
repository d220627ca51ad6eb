// What would come of a file: before → after, what needs a yes, what cannot be read. And what came of it.

import { api, at, get } from "../../lib/api.js";
import {
  Badge, explain, Failed, html, say, Section, Table, useEffect, useGone, useState,
} from "../../lib/parts.js";
import { number, t, when, words } from "../../lib/text.js";
import { Undo } from "./undo.js";

const TONES = { new: "good", lowered: "warn", zeroed: "bad", bad: "bad" };
const ASK_MS = 1000;

const figure = (value) => {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "number") return number(value);
  return typeof value === "object" ? JSON.stringify(value) : String(value);
};

/** The figures that a row changes, one on a line: "On the shelf: 12 → 8". */
const Figures = ({ before, after }) => Object.entries(after)
  .filter(([name, value]) => (before === null ? figure(value) !== "–" : figure(value) !== figure(before[name])))
  .map(([name, value]) => html`<div key=${name}><span class="soft">${words("files.figures", name)}:</span>
    ${" "}${before !== null && html`${figure(before[name])} → `}<strong>${figure(value)}</strong></div>`);

const Counts = ({ counts }) => html`<p>${Object.entries(counts).filter(([, count]) => count > 0).map(([name, count]) =>
  html`<${Badge} key=${name} tone=${TONES[name]}>${number(count)} ${words("files.verdicts", name)}<//> `)}</p>`;

function Changes({ view }) {
  const columns = [
    { name: "line", title: t("files.line"), show: (row) => number(row.line), end: true },
    { name: "about", title: t("files.about"), show: (row) => Object.values(row.about).join(" · ") },
    { name: "change", title: t("files.change"), show: (row) =>
      html`<${Badge} tone=${TONES[row.change]}>${words("files.verdicts", row.change)}<//>` },
    { name: "figures", title: t("files.before_after"), show: (row) => html`<${Figures} ...${row} />` },
  ];
  return html`<h3>${t("files.changes")}</h3>
    <${Table} columns=${columns} rows=${view.changes} keyOf=${(row) => row.line} empty=${t("files.no_changes")} />
    ${view.changes_total > view.changes.length &&
      html`<p class="soft">${t("files.first_of", { shown: view.changes.length, count: view.changes_total })}</p>`}`;
}

function Bad({ view, bad }) {
  if (!view.bad_total) return null;
  const columns = [
    { name: "line", title: t("files.line"), show: (row) => number(row.line), end: true },
    { name: "reason", title: t("files.reason"), show: (row) => html`<span lang="en">${row.reason}</span>` },
    { name: "row", title: t("files.row"), show: (row) => html`<span class="code">${row.row}</span>` },
  ];
  return html`<h3>${t("files.bad")}</h3><p>${t("files.bad_text")}
    ${" "}<a href=${bad} download="bad-rows.csv">${t("files.bad_file")}</a></p>
    <${Table} columns=${columns} rows=${view.bad} keyOf=${(row) => row.line} />
    ${view.bad_total > view.bad.length &&
      html`<p class="soft">${t("files.first_of", { shown: view.bad.length, count: view.bad_total })}</p>`}`;
}

function Concerns({ view, seen, onSeen }) {
  if (!view.concerns.length) return null;
  return html`<div class="note warn"><strong>${t("files.concerns")}</strong>
    <ul>${view.concerns.map((each, i) => html`<li key=${i}>${words("files.concern", each.concern)}
      <div lang="en">${each.detail}</div></li>`)}</ul>
    ${view.state === "waiting" && html`<label><input type="checkbox" name="seen" checked=${seen}
      onChange=${(event) => onSeen(event.currentTarget.checked)} /> ${t("files.meant")}</label>`}</div>`;
}

const News = ({ view }) => [
  [t("files.new_skus"), view.new_skus], [t("files.new_places"), view.new_locations],
].map(([title, names]) => names.length > 0 && html`<p key=${title}><strong>${title}:</strong> ${names.join(", ")}</p>`);

const Notes = ({ notes }) => notes.length > 0 && html`<ul class="soft" lang="en">
  ${notes.map((text, i) => html`<li key=${i}>${text}</li>`)}</ul>`;

/** `looked`: the view with its token. `onApplied`: something was changed. */
export function Preview({ looked, onApplied, onAway }) {
  const [view, setView] = useState(looked);
  const [seen, setSeen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const [undoes, setUndoes] = useState(false);
  const { kind, token } = looked;
  const gone = useGone();
  const path = at`/v1/files/${kind}/${token}`;
  useEffect(() => {
    if (!busy) return undefined;
    const asking = setInterval(async () => {
      const now = await get(path, { unattended: true }).catch(() => null); // the next one says it
      if (now?.state === "applying") setView((before) => (before.state === "done" ? before : now));
    }, ASK_MS);
    return () => clearInterval(asking);
  }, [busy]);
  const apply = async () => {
    setBusy(true);
    setError(null);
    try {
      setView(await api("POST", path));
      onApplied();
    } catch (fault) {
      if (gone.current) say(`${view.file}: ${explain(fault)} ${fault.detail ?? ""}`, "bad");
      setError(fault);
    } finally {
      setBusy(false);
    }
  };
  const isDone = view.state === "done";
  const asks = view.concerns.length > 0 && !seen;
  const title = isDone ? t("files.applied", { file: view.file }) : t("files.preview", { file: view.file });
  return html`<${Section} title=${title} id="preview">
    <p role="status">${isDone ? t("files.done_rows", { count: view.done }) : t("files.rows", { count: view.rows })}</p>
    <${Counts} counts=${view.counts} />
    <${Concerns} view=${view} seen=${seen} onSeen=${setSeen} />
    <${News} view=${view} />
    ${busy && html`<progress aria-label=${t("files.applying")} max=${view.rows} value=${view.done}></progress>`}
    ${error && html`<${Failed} error=${error} />`}
    <div class="actions">
      ${!isDone && html`<button type="button" class="main" onClick=${apply} aria-busy=${busy}
        disabled=${busy || asks || view.rows <= view.bad_total}>${t("files.apply")}</button>`}
      ${isDone && view.import_id && html`<button type="button" onClick=${() => setUndoes(true)}>
        ${t("files.undo")}</button>`}
      <button type="button" disabled=${busy} onClick=${onAway}>${isDone ? t("files.close") : t("files.away")}</button>
      ${!isDone && html`<span class="soft">${t("files.until", { at: when(view.expires_at) })}</span>`}</div>
    <${Changes} view=${view} /><${Bad} view=${view} bad=${`${path}/bad`} /><${Notes} notes=${view.notes} />
    ${undoes && html`<${Undo} id=${view.import_id} file=${view.file} onDone=${onApplied}
      onClose=${() => setUndoes(false)} />`}<//>`;
}
