// Which file, what kind it is, and how it is to be read.

import { api, at, Refused, withQuery } from "../../lib/api.js";
import { useLoad, usePlaces } from "../../lib/load.js";
import { Failed, Field, html, Section, useState } from "../../lib/parts.js";
import { t, words } from "../../lib/text.js";
import { instantOf } from "../../lib/zone.js";

const KINDS = ["import", "count", "move", "barcodes", "categories", "locations", "listings"];
const ENCODINGS = ["utf-8", "utf-16", "windows-1254", "windows-1250", "windows-1252", "iso-8859-9", "iso-8859-2"];
const BYTES_MAX = 16 * 1024 * 1024;
const OF_PLACES = ["import", "count"];
const NUMBERS = ["import", "count", "move"];

/** What was chosen, as the query of POST /v1/files/KIND: what is left alone is left out. */
function queryOf({ kind, channel, location, counted, encoding, sheet, columns, ignored, decimal, ...yes }, name) {
  return {
    name: name.slice(0, 200), encoding, sheet, decimal, columns: columns?.trim(), ignore_columns: ignored?.trim(),
    channel: kind === "listings" ? channel : "",
    location: OF_PLACES.includes(kind) ? location?.trim() : "",
    counted_at: kind === "count" ? instantOf(counted) : "",
    negative: yes.negative ? "zero" : "", as_written: yes.as_written && "true", again: yes.again && "true",
    allow_similar: yes.allow_similar && "true",
  };
}

/** A field to drop a file on; choosing one by the keyboard works, too. */
function Drop({ file, onFile }) {
  const [over, setOver] = useState(false);
  const dropped = (event) => {
    event.preventDefault();
    setOver(false);
    if (event.dataTransfer.files.length) onFile(event.dataTransfer.files[0]);
  };
  return html`<div class=${over ? "drop over" : "drop"} onDragOver=${(event) => (event.preventDefault(), setOver(true))}
    onDragLeave=${() => setOver(false)} onDrop=${dropped}>
    <${Field} label=${t("files.file")} type="file" name="file" hint=${t("files.file_hint")}
      accept=".csv,.txt,.tsv,.xlsx,text/csv" onClick=${(event) => (event.currentTarget.value = "")}
      onChange=${(event) => onFile(event.currentTarget.files[0] ?? null)} />
    ${file && html`<p><strong>${file.name}</strong></p>`}</div>`;
}

/** Whether a file is still the one that was chosen: of one that was saved again since, a browser reads nothing. */
const isReadable = (file) => file.slice(0, 1).arrayBuffer().then(() => true, () => false);

function Reading({ kind }) {
  return html`<details><summary>${t("files.reading")}</summary>
    <${Field} as="select" label=${t("files.encoding")} name="encoding">
      <option value="">${t("files.by_itself")}</option>
      ${ENCODINGS.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}<//>
    ${NUMBERS.includes(kind) && html`<${Field} as="select" label=${t("files.decimal")} name="decimal">
      <option value="">${t("files.by_itself")}</option>
      <option value=",">${t("files.comma")}</option><option value=".">${t("files.point")}</option><//>`}
    <${Field} label=${t("files.columns")} name="columns" hint=${t("files.columns_hint")} autocomplete="off"
      maxlength="2000" />
    <${Field} label=${t("files.ignored")} name="ignored" hint=${t("files.ignored_hint")} autocomplete="off"
      maxlength="2000" />
    <${Field} label=${t("files.sheet")} name="sheet" autocomplete="off" maxlength="200" />
    <p><label><input type="checkbox" name="negative" /> ${t("files.negative")}</label></p>
    <p><label><input type="checkbox" name="as_written" /> ${t("files.as_written")}</label></p>
    <p><label><input type="checkbox" name="allow_similar" /> ${t("files.new_names")}</label></p>
    <p><label><input type="checkbox" name="again" /> ${t("files.counts_again")}</label></p></details>`;
}

function Where({ kind }) {
  const places = usePlaces();
  const channels = useLoad(kind === "listings" ? "/v1/channels" : null);
  if (kind === "listings") {
    return html`<${Field} as="select" label=${t("files.channel")} name="channel" required>
      ${(channels.data?.channels ?? []).map(({ channel }) =>
        html`<option key=${channel} value=${channel}>${channel}</option>`)}<//>`;
  }
  return OF_PLACES.includes(kind) && html`<${Field} label=${t("files.place")} name="location" list="file-places"
      hint=${words("files.place_hints", kind)} autocomplete="off" />
    <datalist id="file-places">${places.names.map((name) => html`<option key=${name} value=${name} />`)}</datalist>
    ${kind === "count" && html`<${Field} label=${t("files.counted")} name="counted" type="datetime-local"
      hint=${t("files.counted_hint")} />`}`;
}

/** `onLooked(view)`: what would come of the file. */
export function Choose({ may, onLooked }) {
  const [kind, setKind] = useState("import");
  const [file, setFile] = useState(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const look = async (event) => {
    event.preventDefault();
    const chosen = Object.fromEntries(new FormData(event.currentTarget));
    setBusy(true);
    setError(null);
    onLooked(null);
    try {
      if (!file) throw new Refused(0, { title: t("files.no_file") });
      if (file.size > BYTES_MAX) throw new Refused(0, { title: t("files.too_large") });
      if (!(await isReadable(file))) {
        setFile(null);
        throw new Refused(0, { title: t("files.file_changed") });
      }
      const path = withQuery(at`/v1/files/${kind}`, queryOf({ ...chosen, kind }, file.name));
      onLooked(await api("POST", path, new Blob([file], { type: "application/octet-stream" })));
    } catch (fault) {
      setError(fault);
    } finally {
      setBusy(false);
    }
  };
  const kinds = KINDS.filter((each) => each !== "listings" || may("admin"));
  return html`<${Section} title=${t("files.send")}><form onSubmit=${look}>
    <${Field} as="select" label=${t("files.kind")} name="kind" hint=${words("files.kind_hints", kind)}
      onChange=${(event) => setKind(event.currentTarget.value)}>
      ${kinds.map((each) => html`<option key=${each} value=${each}>${words("files.kinds", each)}</option>`)}<//>
    <${Drop} file=${file} onFile=${setFile} />
    <${Where} kind=${kind} />
    <${Reading} kind=${kind} />
    ${error && html`<${Failed} error=${error} />`}
    <div class="actions"><button type="submit" class="main" disabled=${busy} aria-busy=${busy}>
      ${busy ? t("files.looking") : t("files.look")}</button>
      <span class="soft">${t("files.nothing_yet")}</span></div></form><//>`;
}
