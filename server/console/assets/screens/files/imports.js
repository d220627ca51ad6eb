// The imports that are remembered, those of commands too, and what can be taken back.

import { Badge, html, Loaded, Section, Table, useState } from "../../lib/parts.js";
import { number, t, when, words } from "../../lib/text.js";
import { Undo } from "./undo.js";

const TONES = { running: "warn", undoing: "warn", done: "good" };

export function Imports({ of, may }) {
  const [asked, ask] = useState(null);
  const isMine = (row) => row.kind !== "listings" || may("admin");
  const columns = [
    { name: "file", title: t("files.file"), show: (row) => row.file },
    { name: "kind", title: t("files.kind"), show: (row) =>
      html`${words("files.kinds", row.kind)}${row.where && html`<span class="soft"> · ${row.where}</span>`}` },
    { name: "at", title: t("files.when"), show: (row) => when(row.at) },
    { name: "actor", title: t("files.who"), show: (row) => row.actor },
    { name: "rows", title: t("files.rows_title"), show: (row) => number(row.rows), end: true },
    { name: "state", title: t("files.state"), show: (row) =>
      html`<${Badge} tone=${TONES[row.state]}>${words("files.states", row.state)}<//>` },
    { name: "undo", title: t("files.undo"), says: true, show: (row) => row.state !== "undone" && isMine(row) &&
      html`<button type="button" onClick=${() => ask(row)}>${t("files.undo")}</button>` },
  ];
  return html`<${Section} title=${t("files.imports")} id="imports"><${Loaded} of=${of}>${({ imports }) => html`
    <${Table} columns=${columns} rows=${imports} keyOf=${(row) => row.import_id} empty=${t("files.no_imports")} />`}<//>
    ${asked && html`<${Undo} id=${asked.import_id} file=${asked.file} isRunning=${asked.state === "running"}
      onDone=${of.again} onClose=${() => ask(null)} />`}<//>`;
}
