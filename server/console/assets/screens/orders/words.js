// What orders are said with: their states, sums, and units at places.

import { Badge, html } from "../../lib/parts.js";
import { language, number, t, words } from "../../lib/text.js";

const TONES = { short: "bad", held: "warn", backordered: "warn", expired: "bad", cancelled: "bad", unpaid: "warn",
  unmapped: "bad" };

/** A state of an order, or of a reservation. */
export const State = ({ state }) =>
  state ? html`<${Badge} tone=${TONES[state] ?? "quiet"}>${words("orders.states", state)}<//>` : "–";

/** Money as the channel wrote it, with its currency. */
export function money(text, currency) {
  if (!text) return "";
  if (Number.isNaN(Number(text))) return `${text} ${currency}`;
  try {
    return new Intl.NumberFormat(language.now, { style: "currency", currency }).format(text);
  } catch {
    return `${text} ${currency}`; // no currency that is known
  }
}

/** "2 × TS-1, izmir", and what is lacking of it. */
export const Units = ({ sku, location, quantity, lacks = 0 }) => html`<div>
  ${number(quantity)} × ${sku}${location && html`<span class="soft"> · ${location}</span>`}
  ${lacks > 0 && html` <${Badge} tone="bad">${t("orders.lacks", { count: lacks })}<//>`}</div>`;
