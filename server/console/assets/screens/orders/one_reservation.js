// A reservation by its id: a sale at the counter, an order of one's own shop, a hold.

import { at, named, withQuery } from "../../lib/api.js";
import { useLoad } from "../../lib/load.js";
import { html, Loaded, Title } from "../../lib/parts.js";
import { to } from "../../lib/route.js";
import { t, when } from "../../lib/text.js";
import { Reservation } from "./reservation.js";
import { Timeline } from "./timeline.js";

/** Where a channel has told of the order itself, the way to all that is known of it. */
function ChannelOrder({ channel, number }) {
  const found = useLoad(withQuery("/v1/orders", { number }));
  const told = found.data?.orders.find((each) => each.channel === channel);
  return told && html`<p><a href=${to("orders", [channel, number])}>
    ${t("orders.of_channel", { channel, number })}</a></p>`;
}

export function OneReservation({ id, may }) {
  const found = useLoad(at`/v1/reservations/${named(id)}`, { live: true, every: 15000 });
  const short = useLoad(at`/v1/reservations/${named(id)}/shortages`, { live: true });
  const again = () => {
    found.again();
    short.again();
  };
  return html`<${Title}>${id}<//><${Loaded} of=${found}>${(reservation) => html`
    <dl><dt>${t("orders.channel")}</dt><dd>${reservation.channel}</dd>
      <dt>${t("orders.made")}</dt><dd>${when(reservation.created_at)}</dd>
      ${reservation.order_ref && html`<dt>${t("orders.number")}</dt><dd>${reservation.order_ref}</dd>`}
      ${reservation.customer_ref && html`<dt>${t("orders.customer")}</dt><dd>
        <a href=${to("orders", [], { tab: "reservations", customer_ref: reservation.customer_ref })}>
          ${reservation.customer_ref}</a></dd>`}</dl>
    ${reservation.order_ref &&
      html`<${ChannelOrder} channel=${reservation.channel} number=${reservation.order_ref} />`}
    <${Reservation} reservation=${reservation} shortages=${short.data?.shortages ?? []} may=${may} onDone=${again}
      title=${t("orders.lines")} />
    <${Timeline} order=${id} follows=${true} />`}<//>`;
}
