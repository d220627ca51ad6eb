// "Lacks 2, could come from izmir": and one press takes them from there.

import { at, named, newKey, post } from "../../lib/api.js";
import { Action, html, say, useState } from "../../lib/parts.js";
import { t } from "../../lib/text.js";

/** Says where units that a line lacks are, and moves them. `lack`: of the API, with its reservation_id and line. */
export function ComesFrom({ lack, may, onDone }) {
  const [keys] = useState(() => new Map());
  const others = lack.other_locations;
  if (others === null) return html`<span class="soft">${t("orders.not_looked")}</span>`;
  if (!others.length) return html`<span class="soft">${t("orders.nowhere_else")}</span>`;
  const take = async (place, quantity) => {
    const wanted = `${place}/${quantity}`;
    if (!keys.has(wanted)) keys.set(wanted, newKey());
    const lines = [{ line: lack.line, to: place, quantity }];
    const body = { lines, reason: t("orders.moved_because") }; // the press says it
    await post(at`/v1/reservations/${named(lack.reservation_id)}/move`, body, { key: keys.get(wanted) });
    say(t("orders.moved", { count: quantity, place }));
    onDone();
  };
  return others.map(({ location, available }) => {
    const units = Math.min(lack.lacks, available);
    const text = t("orders.has", { place: location, units: available });
    return html`<div key=${location}>${may("reserve")
      ? html`<${Action} onAct=${() => take(location, units)} title=${text}>
        ${t("orders.take_from", { count: units, place: location })}<//>`
      : html`<span>${text}</span>`}</div>`;
  });
}
