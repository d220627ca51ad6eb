// One order as a timeline: what its channel told, what was done with its stock, by whom and why, and what was noted.

import { withQuery } from "../../lib/api.js";
import { useLoad } from "../../lib/load.js";
import { html, Loaded, Section } from "../../lib/parts.js";
import { t, when, words } from "../../lib/text.js";

const signed = (units) => (units > 0 ? `+${units}` : `−${-units}`);

/** Rows of the history that one change made: each SKU at each place has one. */
function grouped(rows) {
  const groups = new Map();
  for (const row of rows) {
    const key = [row.at, row.operation, row.actor, row.reservation_id].join("\n");
    if (!groups.has(key)) groups.set(key, { ...row, rows: [] });
    groups.get(key).rows.push(row);
  }
  return [...groups.values()];
}

const moved = ({ sku, location, deltas }) => {
  const parts = Object.entries(deltas).map(([bucket, units]) => `${words("orders.buckets", bucket)} ${signed(units)}`);
  return parts.length ? `${sku}${location && ` · ${location}`}: ${parts.join(", ")}` : "";
};

const ofHistory = (changes) => grouped(changes).map((each) => ({
  at: each.at, actor: each.actor, reason: each.reason, what: words("orders.operations", each.operation),
  lines: each.rows.map(moved).filter(Boolean),
}));

/** "ship_done": what was said to the channel, and what came of it. */
function kind(name) {
  const [, command, state] = name.match(/^(acknowledge|refuse|ship|invoice|settle_return|label)_(\w+)$/) ?? [];
  return command ? `${words("orders.commands", command)} (${words("orders.command_states", state)})`
    : words("orders.kinds", name);
}

const steps = (text) => text.split(", ").map((step) => words("orders.operations", step)).join(", ");

const ofChannel = (events) => events.map((each) => ({
  at: each.at, actor: each.actor, reason: "", what: kind(each.kind),
  lines: [each.kind === "booked" ? steps(each.text) : each.text].filter(Boolean),
}));

const ofPeople = (notes) => notes.map((each) => ({
  at: each.at, actor: each.actor, reason: "", what: t("orders.note"), lines: [each.text],
}));

function Steps({ of }) {
  const sorted = [...of].sort((a, b) => new Date(b.at) - new Date(a.at));
  if (!sorted.length) return html`<p class="empty">${t("orders.no_steps")}</p>`;
  return html`<ol class="timeline">${sorted.map((each, i) => html`<li key=${i}>
    <div><strong>${each.what}</strong>
      ${" "}<span class="soft">${when(each.at)}${each.actor && ` · ${each.actor}`}</span></div>
    ${each.reason && html`<div>${t("orders.because", { reason: each.reason })}</div>`}
    ${each.lines.map((line, j) => html`<div key=${j} class="soft">${line}</div>`)}</li>`)}</ol>`;
}

/** `order`: a number or an id of a reservation; `events` and `notes`: of a channel's order. */
export function Timeline({ order, channel, events = [], notes = [], follows }) {
  const path = withQuery("/v1/history", { order, channel, limit: 200 });
  const found = useLoad(path, { live: follows, every: 10000 });
  return html`<${Section} title=${t("orders.timeline")} id="timeline">
    <${Loaded} of=${found}>${({ changes, next }) => html`
      <${Steps} of=${[...ofHistory(changes), ...ofChannel(events), ...ofPeople(notes)]} />
      ${next && html`<p class="soft">${t("orders.older")}</p>`}`}<//><//>`;
}
