// What can be done with a reservation: ship, cancel, release, take back, exchange, move, map a line.

import { at, named, newKey, post, put, Refused } from "../../lib/api.js";
import { useLoad, usePlaces } from "../../lib/load.js";
import { Dialog, Field, html, Loaded, say, useState } from "../../lib/parts.js";
import { known, SkuField } from "../../lib/sku_field.js";
import { number, t, words } from "../../lib/text.js";

const DISPOSITIONS = ["restock", "damaged", "quality_control"];

const path = (reservation, verb) => at`/v1/reservations/${named(reservation.reservation_id)}/` + verb;

const of = (line) => `${line.sku}${line.location && ` · ${line.location}`}`;

/** A field for each line that has `most(line)` units to choose from; all of them where `whole`. */
const UnitFields = ({ lines, most, whole = true }) => lines.filter((line) => most(line) > 0).map((line) =>
  html`<${Field} key=${line.line} label=${t("orders.units_of", { what: of(line), most: most(line) })}
    name=${`units${line.line}`} type="number" inputmode="numeric" min="0" max=${most(line)} step="1"
    defaultValue=${whole ? most(line) : 0} />`);

/** What was entered into these fields; refused where it is nothing. */
function chosen(values, extra = {}) {
  const parts = Object.entries(values).flatMap(([name, units]) => (/^units\d+$/.test(name) && Number(units) > 0
    ? [{ line: Number(name.slice(5)), quantity: Number(units), ...extra }] : []));
  if (!parts.length) throw new Refused(0, { title: t("orders.nothing_named") });
  return parts;
}

/** Sends what `body(values)` makes, once however often it is pressed, and says that it is done. */
function useSend(reservation, verb, onDone) {
  const [key] = useState(newKey);
  return async (body) => {
    const answer = await post(path(reservation, verb), body, { key });
    say(t("orders.done"));
    onDone();
    return answer;
  };
}

const filled = (values, names) => Object.fromEntries(names.map((name) => [name, (values[name] ?? "").trim()])
  .filter(([, value]) => value));

export function Ship({ reservation, onDone, onClose }) {
  const send = useSend(reservation, "fulfil", onDone);
  const done = (values) =>
    send({ lines: chosen(values), ...filled(values, ["tracking", "carrier", "invoice_ref", "reason"]) });
  return html`<${Dialog} title=${t("orders.ship")} doneTitle=${t("orders.ship")} reason="maybe" onDone=${done}
    onClose=${onClose}>
    <${UnitFields} lines=${reservation.lines} most=${(line) => line.committed} />
    <${Field} label=${t("orders.carrier")} name="carrier" maxlength="100" autocomplete="off" />
    <${Field} label=${t("orders.tracking")} name="tracking" maxlength="100" autocomplete="off" />
    <${Field} label=${t("orders.invoice")} name="invoice_ref" maxlength="100" autocomplete="off" /><//>`;
}

export function Cancel({ reservation, onDone, onClose }) {
  const send = useSend(reservation, "cancel", onDone);
  const done = (values) => send({ lines: chosen(values), reason: values.reason });
  return html`<${Dialog} title=${t("orders.cancel_lines")} doneTitle=${t("orders.cancel_lines")} tone="bad" reason
    onDone=${done} onClose=${onClose}><p>${t("orders.cancel_text")}</p>
    <${UnitFields} lines=${reservation.lines} whole=${false} most=${(line) =>
      line.committed + (line.backordered ?? 0)} /><//>`;
}

export function Release({ reservation, onDone, onClose }) {
  const send = useSend(reservation, "release", onDone);
  return html`<${Dialog} title=${t("orders.release")} doneTitle=${t("orders.release")} tone="bad" reason
    onDone=${(values) => send({ lines: chosen(values), reason: values.reason })} onClose=${onClose}>
    <p>${t("orders.release_text")}</p>
    <${UnitFields} lines=${reservation.lines} most=${(line) => line.held} /><//>`;
}

/** Which units come back, in what condition, and where to. */
function Comes({ reservation }) {
  const places = usePlaces();
  return html`
    <${UnitFields} lines=${reservation.lines} whole=${false} most=${(line) => line.fulfilled - line.returned} />
    <${Field} as="select" label=${t("orders.disposition")} name="disposition">${DISPOSITIONS.map((name) =>
      html`<option key=${name} value=${name}>${words("orders.dispositions", name)}</option>`)}<//>
    <${Field} as="select" label=${t("orders.back_to")} name="location">
      <option value="">${t("orders.where_it_left")}</option>
      ${places.names.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}<//>`;
}

const back = (values) => ({
  lines: chosen(values, { disposition: values.disposition, ...filled(values, ["location"]) }), reason: values.reason,
});

export function Return({ reservation, onDone, onClose }) {
  const send = useSend(reservation, "return", onDone);
  return html`<${Dialog} title=${t("orders.return")} doneTitle=${t("orders.return")} reason
    onDone=${(values) => send(back(values))} onClose=${onClose}><${Comes} reservation=${reservation} /><//>`;
}

export function Exchange({ reservation, onDone, onClose }) {
  const send = useSend(reservation, "exchange", onDone);
  const done = async (values) => {
    const line = { sku: await known(values.sku), quantity: Number(values.quantity) };
    const flags = [...new Set([...(reservation.flags ?? []), "exchange"])];
    const customer = reservation.customer_ref ? { customer_ref: reservation.customer_ref } : {};
    await send({ return: back(values), order: { channel: reservation.channel, lines: [line], flags, ...customer } });
  };
  return html`<${Dialog} title=${t("orders.exchange")} doneTitle=${t("orders.exchange")} reason onDone=${done}
    onClose=${onClose}><h3>${t("orders.comes_back")}</h3><${Comes} reservation=${reservation} />
    <h3>${t("orders.goes_out")}</h3><${SkuField} label=${t("orders.sku")} required />
    <${Field} label=${t("orders.units")} name="quantity" type="number" min="1" step="1" defaultValue="1" required />
    <//>`;
}

/** The units of one line are taken from another place, where they are. */
export function Move({ reservation, line, onDone, onClose }) {
  const send = useSend(reservation, "move", onDone);
  const stock = useLoad(at`/v1/stock/${line.sku}`);
  const done = ({ to: place, quantity, reason }) =>
    send({ lines: [{ line: line.line, to: place, quantity: Number(quantity) }], reason });
  const elsewhere = (levels) => levels.filter((each) =>
    each.location !== line.location && each.available > 0 && !each.closed);
  const most = line.held + line.committed;
  return html`<${Dialog} title=${t("orders.move")} doneTitle=${t("orders.move")} reason onDone=${done}
    onClose=${onClose}><p>${of(line)}</p>
    <${Loaded} of=${stock}>${({ levels }) => (elsewhere(levels).length
      ? html`<${Field} as="select" label=${t("orders.to_place")} name="to" required>${elsewhere(levels).map((each) =>
        html`<option key=${each.location} value=${each.location}>
          ${t("orders.has", { place: each.location, units: each.available })}</option>`)}<//>
        <${Field} label=${t("orders.units_of", { what: of(line), most })} name="quantity" type="number" min="1"
          max=${most} step="1" defaultValue=${most} required />`
      : html`<p class="empty">${t("orders.nowhere_else")}</p>`)}<//><//>`;
}

/** Says what was sold in a line that no product is known for, and if wanted so from now on. */
export function MapLine({ reservation, line, may, onDone, onClose }) {
  const send = useSend(reservation, "lines", onDone);
  const done = async (values) => {
    const sku = await known(values.sku);
    if (values.always) {
      await put(at`/v1/channels/${reservation.channel}/listings`, { listings: [{ sku, key: line.sku }] });
    }
    await send({ lines: [{ line: line.line, sku }] });
  };
  return html`<${Dialog} title=${t("orders.map_line")} doneTitle=${t("orders.map")} onDone=${done} onClose=${onClose}>
    <p><span class="code">${line.sku}</span> × ${number(line.quantity)}</p>
    <${SkuField} label=${t("orders.sku")} required />
    ${may("admin") && !reservation.unconfigured_channel && html`<div class="field"><label>
      <input type="checkbox" name="always" /> ${t("orders.always", { channel: reservation.channel })}</label></div>`}
    <//>`;
}
