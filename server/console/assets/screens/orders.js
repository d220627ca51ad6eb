// Orders: of channels and of everybody else, what they lack, and what could not be booked.

import { html, Title } from "../lib/parts.js";
import { to } from "../lib/route.js";
import { t } from "../lib/text.js";
import { Inbox } from "./orders/inbox.js";
import { ChannelOrders, Reservations } from "./orders/lists.js";
import { OneReservation } from "./orders/one_reservation.js";
import { Order } from "./orders/order.js";
import { Short } from "./orders/short.js";

function Tabs({ shown }) {
  const tabs = [
    { name: "", title: t("orders.of_channels") },
    { name: "reservations", title: t("orders.reservations") },
    { name: "short", title: t("orders.short") },
    { name: "inbox", title: t("orders.inbox") },
  ];
  return html`<nav class="tabs" aria-label=${t("orders.parts")}>${tabs.map((each) => html`
    <a key=${each.name} href=${to("orders", [], { tab: each.name })}
      aria-current=${each.name === shown ? "page" : undefined}>${each.title}</a>`)}</nav>`;
}

/** `names`: none, or a channel and the number of its order, or the id of a reservation. */
export default function Orders({ names, query, may }) {
  const [channel, number] = names;
  if (number) return html`<${Order} key=${names.join("/")} channel=${channel} number=${number} may=${may} />`;
  if (channel) return html`<${OneReservation} key=${channel} id=${channel} may=${may} />`;
  const tab = query.tab ?? "";
  return html`<${Title}>${t("orders.title")}<//><${Tabs} shown=${tab} />
    ${tab === "reservations" ? html`<${Reservations} query=${query} />`
      : tab === "short" ? html`<${Short} may=${may} />`
      : tab === "inbox" ? html`<${Inbox} query=${query} may=${may} />`
      : html`<${ChannelOrders} query=${query} />`}`;
}
