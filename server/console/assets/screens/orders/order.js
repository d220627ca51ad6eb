// One order of a channel: its state, lines, reservations, parcels, returns, buyer, and its timeline.

import { at, named, post } from "../../lib/api.js";
import { useLoad } from "../../lib/load.js";
import { Badge, Dialog, Field, Flags, html, Loaded, Section, Table, Title, useState } from "../../lib/parts.js";
import { to } from "../../lib/route.js";
import { number, t, when, words } from "../../lib/text.js";
import { EntryActions, Why } from "./inbox.js";
import { Reservation } from "./reservation.js";
import { Timeline } from "./timeline.js";
import { money, State } from "./words.js";

/** The marks of an order, and of its reservations. */
const flagsOf = ({ order, reservations }) =>
  [...new Set([...order.flags, ...reservations.flatMap((each) => each.flags ?? [])])];

function Head({ shown }) {
  const { order } = shown;
  const lacks = shown.shortages.reduce((units, each) => units + each.lacks, 0);
  return html`<dl>
    <dt>${t("orders.state")}</dt><dd><${State} state=${order.state || order.channel_state} />
      ${" "}${lacks > 0 && html`<${Badge} tone="bad">${t("orders.lacks", { count: lacks })}<//> `}
      <${Flags} flags=${flagsOf(shown)} /></dd>
    <dt>${t("orders.at_channel")}</dt><dd>${order.status || order.channel_state}</dd>
    <dt>${t("orders.placed")}</dt><dd>${when(order.placed_at ?? order.first_seen_at)}</dd>
    ${order.total && html`<dt>${t("orders.total")}</dt><dd>${money(order.total, order.currency)}</dd>`}
    ${order.customer_ref && html`<dt>${t("orders.buyer")}</dt><dd>
      <a href=${to("orders", [], { customer: order.customer_ref })}>${t("orders.buyer_orders")}</a></dd>`}</dl>`;
}

function Lines({ lines, currency }) {
  const columns = [
    { name: "title", title: t("orders.article"), show: (line) => html`${line.title || line.sku_hint || line.listing}
      ${line.fulfilled_by === "channel" && html` <${Badge}>${t("orders.by_channel")}<//>`}` },
    { name: "key", title: t("orders.key"), show: (line) => line.listing || line.barcode },
    { name: "ordered", title: t("orders.ordered"), show: (line) => number(line.ordered), end: true },
    { name: "cancelled", title: t("orders.cancelled"), show: (line) => number(line.cancelled), end: true },
    { name: "shipped", title: t("orders.shipped"), show: (line) => number(line.shipped), end: true },
    { name: "returned", title: t("orders.returned"), show: (line) => number(line.returned), end: true },
    { name: "price", title: t("orders.price"), show: (line) => money(line.unit_price, currency), end: true },
  ];
  return html`<${Section} title=${t("orders.sold")}>
    <${Table} columns=${columns} rows=${lines} keyOf=${(line) => line.key} /><//>`;
}

function Parcels({ packages }) {
  const columns = [
    { name: "key", title: t("orders.parcel"), show: (each) => each.key },
    { name: "state", title: t("orders.state"), show: (each) => words("orders.parcel_states", each.state) },
    { name: "carrier", title: t("orders.carrier"), show: (each) => each.carrier },
    { name: "tracking", title: t("orders.tracking"), show: (each) => each.tracking },
    { name: "units", title: t("orders.units"), end: true, show: (each) =>
      number(each.lines.reduce((units, line) => units + line.quantity, 0)) },
  ];
  return packages.length > 0 && html`<${Section} title=${t("orders.parcels")}>
    <${Table} columns=${columns} rows=${packages} keyOf=${(each) => each.key} /><//>`;
}

function Returns({ returns }) {
  const columns = [
    { name: "key", title: t("orders.case"), show: (each) => each.key },
    { name: "state", title: t("orders.state"), show: (each) => html`${words("orders.return_states", each.state)}
      ${each.replacement && html` <${Badge} tone="warn">${t("orders.replacement")}<//>`}` },
    { name: "until", title: t("orders.answer_until"), show: (each) => when(each.deadline_at) },
    { name: "units", title: t("orders.units"), show: (each) => each.lines.map((line, i) =>
      html`<div key=${i}>${number(line.quantity)} × ${line.listing || line.line}
        ${line.reason && html`<div class="soft">${line.reason}</div>`}</div>`) },
  ];
  return returns.length > 0 && html`<${Section} title=${t("orders.returns")}>
    <p class="soft">${t("orders.returns_text")}</p>
    <${Table} columns=${columns} rows=${returns} keyOf=${(each) => each.key} /><//>`;
}

const ADDRESS = ["name", "company", "lines", "district", "postal_code", "city", "region", "country", "phone"];
const addressed = (address) => ADDRESS.flatMap((part) => address[part]).filter(Boolean);

/** Personal data, where the API gives it; else why it is not there. */
function Buyer({ personal, buyer, erased_at: erased }) {
  const fields = buyer && [
    [t("orders.name"), buyer.name],
    [t("orders.email"), buyer.email],
    [t("orders.phone"), buyer.phone],
    [t("orders.shipped_to"), buyer.shipping && addressed(buyer.shipping).join(", ")],
    [t("orders.billed_to"), buyer.billing && addressed(buyer.billing).join(", ")],
    [t("orders.tax"), buyer.billing && [buyer.billing.tax_office, buyer.billing.tax_number].filter(Boolean).join(" ")],
    [t("orders.buyer_note"), buyer.note],
  ].filter(([, text]) => text);
  return html`<${Section} title=${t("orders.buyer")}>${fields?.length
    ? html`<dl>${fields.map(([title, text]) => html`<dt key=${`${title}t`}>${title}</dt><dd key=${title}>${text}</dd>`)}
      </dl>`
    : html`<p class="soft">${words("orders.personal", fields ? "none" : personal)} ${when(erased)}</p>`}<//>`;
}

function AddNote({ path, onDone, onClose }) {
  const done = async ({ text }) => {
    await post(`${path}/notes`, { text });
    onDone();
  };
  return html`<${Dialog} title=${t("orders.add_note")} onDone=${done} onClose=${onClose}>
    <${Field} as="textarea" label=${t("orders.note")} name="text" rows="4" maxlength="2000" required /><//>`;
}

export function Order({ channel, number: sought, may }) {
  const path = at`/v1/orders/${channel}/${named(sought)}`;
  const found = useLoad(path, { live: true, every: 15000 });
  const [notes, setNotes] = useState(false);
  const actions = may("admin") && html`<button type="button" onClick=${() => setNotes(true)}>
    ${t("orders.add_note")}</button>`;
  return html`<${Title} actions=${actions}>${t("orders.of_channel", { channel, number: sought })}<//>
    ${notes && html`<${AddNote} path=${path} onDone=${found.again} onClose=${() => setNotes(false)} />`}
    <${Loaded} of=${found}>${(shown) => html`<${Head} shown=${shown} />
      ${shown.inbox && html`<div class="note warn"><${Why} entry=${shown.inbox} />
        <${EntryActions} entry=${shown.inbox} may=${may} onDone=${found.again} /></div>`}
      ${shown.reservations.map((each) => html`<${Reservation} key=${each.reservation_id} reservation=${each}
        shortages=${shown.shortages} may=${may} onDone=${found.again}
        title=${t("orders.reservation_of", { id: each.reservation_id })} />`)}
      <${Lines} lines=${shown.lines} currency=${shown.order.currency} />
      <${Parcels} packages=${shown.packages} /><${Returns} returns=${shown.returns} />
      <${Buyer} ...${shown} />
      <${Timeline} order=${sought} channel=${channel} events=${shown.timeline} notes=${shown.notes}
        follows=${true} />`}<//>`;
}
