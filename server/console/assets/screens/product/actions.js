// What can be done with a product: adjust, count, move between buckets, send to another place, rename.

import { at, newKey, post, Refused } from "../../lib/api.js";
import { usePlaces } from "../../lib/load.js";
import { Dialog, Field, html, say, useState } from "../../lib/parts.js";
import { go, to } from "../../lib/route.js";
import { t, words } from "../../lib/text.js";

const BUCKETS = ["on_hand", "damaged", "quality_control", "safety"];
const KINDS = ["available", "damaged", "quality_control"];

/** Sends one movement; a refusal of it is thrown as the request's would be. */
async function move(movement, key) {
  const { results } = await post("/v1/stock/movements", { movements: [movement] }, { key });
  const [result] = results;
  if (result.problem) throw new Refused(result.status, result.problem);
  return result.stock;
}

const options = (names, title) =>
  names.map((name) => html`<option key=${name} value=${name}>${title(name)}</option>`);

function Places({ stock, name = "location", label, all = [] }) {
  const places = [...new Set([...stock.levels.map((level) => level.location), ...all])];
  return html`<${Field} as="select" label=${label} name=${name} required>
    ${options(places, (place) => place)}<//>`;
}

const UNITS_MAX = 999999; // more is a barcode that went into a field for units

const Units = ({ label, ...rest }) => html`<${Field} label=${label} name="units" type="number" step="1" required
  inputmode="numeric" max=${UNITS_MAX} ...${rest} />`;

function Adjust({ stock, onDone, onClose }) {
  const [key] = useState(newKey);
  const done = async ({ location, bucket, units, reason }) => {
    await move({ kind: "adjust", sku: stock.sku, location, bucket, quantity: Number(units), reason }, key);
    onDone();
  };
  return html`<${Dialog} title=${t("product.adjust")} reason onDone=${done} onClose=${onClose}>
    <${Places} stock=${stock} label=${t("product.place")} />
    <${Field} as="select" label=${t("product.bucket")} name="bucket">
      ${options(BUCKETS, (name) => words("product.parts", name))}<//>
    <${Units} label=${t("product.by_units")} min=${-UNITS_MAX} hint=${t("product.by_units_hint")} /><//>`;
}

function Count({ stock, onDone, onClose }) {
  const [key] = useState(newKey);
  const done = async ({ location, units, reason }) => {
    await move({ kind: "count", sku: stock.sku, location, on_hand: Number(units), reason }, key);
    onDone();
  };
  return html`<${Dialog} title=${t("product.count")} reason onDone=${done} onClose=${onClose}>
    <${Places} stock=${stock} label=${t("product.place")} />
    <${Units} label=${t("product.counted")} min="0" /><//>`;
}

function Move({ stock, onDone, onClose }) {
  const [key] = useState(newKey);
  const done = async ({ location, units, from, to: into, reason }) => {
    await move({ kind: "move", sku: stock.sku, location, quantity: Number(units), from, to: into, reason }, key);
    onDone();
  };
  const kinds = options(KINDS, (name) => words("product.kinds", name));
  return html`<${Dialog} title=${t("product.move")} reason onDone=${done} onClose=${onClose}>
    <${Places} stock=${stock} label=${t("product.place")} />
    <${Field} as="select" label=${t("product.from")} name="from">${kinds}<//>
    <${Field} as="select" label=${t("product.into")} name="to">${[...kinds].reverse()}<//>
    <${Units} label=${t("product.units")} min="1" /><//>`;
}

function Send({ stock, onDone, onClose }) {
  const [key] = useState(newKey);
  const known = usePlaces();
  const done = async ({ from, to: into, units, reason }) => {
    const lines = [{ sku: stock.sku, quantity: Number(units) }];
    await post("/v1/transfers", { from, to: into, lines, reason }, { key });
    onDone();
  };
  return html`<${Dialog} title=${t("product.send")} reason onDone=${done} onClose=${onClose}>
    <${Places} stock=${stock} name="from" label=${t("product.from")} />
    <${Places} stock=${stock} name="to" label=${t("product.into")}
      all=${known.names} />
    <${Units} label=${t("product.units")} min="1" /><//>`;
}

function Rename({ stock, onClose }) {
  const done = async ({ name, similar, reason }) => {
    const body = { to: name.trim(), reason, ...(similar ? { allow_similar: true } : {}) };
    const renamed = await post(at`/v1/skus/${stock.sku}/rename`, body);
    say(t("product.renamed", { sku: renamed.to }));
    go(to("product", [renamed.to]));
  };
  return html`<${Dialog} title=${t("product.rename")} reason onDone=${done} onClose=${onClose}>
    <p>${t("product.rename_text")}</p>
    <${Field} label=${t("product.new_name")} name="name" required maxlength="128" autocomplete="off"
      defaultValue=${stock.sku} />
    <div class="field"><label><input type="checkbox" name="similar" /> ${t("product.similar")}</label></div><//>`;
}

export function Actions({ stock, may, onChanged }) {
  const [asked, ask] = useState(null);
  const close = () => ask(null);
  const done = () => {
    say(t("product.done"));
    onChanged();
  };
  const given = { stock, onDone: done, onClose: close };
  const button = (name, title) => html`<button type="button" onClick=${() => ask(name)}>${title}</button>`;
  return html`
    ${may("stock") && html`${button("adjust", t("product.adjust"))}${button("count", t("product.count"))}
      ${button("move", t("product.move"))}${button("send", t("product.send"))}`}
    ${may("admin") && button("rename", t("product.rename"))}
    ${asked === "adjust" && html`<${Adjust} ...${given} />`}
    ${asked === "count" && html`<${Count} ...${given} />`}
    ${asked === "move" && html`<${Move} ...${given} />`}
    ${asked === "send" && html`<${Send} ...${given} />`}
    ${asked === "rename" && html`<${Rename} ...${given} />`}`;
}
