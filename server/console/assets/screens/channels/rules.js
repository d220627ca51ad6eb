// A channel's rules, and by an example what they make of a number.

import { at, get, put } from "../../lib/api.js";
import { useLoad } from "../../lib/load.js";
import { Badge, Dialog, Field, html, Loaded, say, Section, Table, useState } from "../../lib/parts.js";
import { number, t, words } from "../../lib/text.js";
import { publishable, seconds } from "./parts.js";

const NUMBERS = ["buffer", "percent", "min_publish", "cap", "cadence_s", "reconcile_every_s"];
const UNITS = 7; // the example's, until somebody types another

export function Rules({ of, channel, may }) {
  const [asks, ask] = useState("");
  const actions = may("admin") && of.data && html`
    <button type="button" onClick=${() => ask("edit")}>${t("channels.edit_rules")}</button>
    ${of.data.set_at_run_time.some((name) => name !== "paused") &&
      html`<button type="button" onClick=${() => ask("reset")}>${t("channels.reset_rules")}</button>`}`;
  return html`<${Section} title=${t("channels.rules")} actions=${actions}><${Loaded} of=${of}>${(found) => html`
    <${Example} rules=${found.rules} />
    <${Table} columns=${columns(found)} rows=${["locations", ...NUMBERS]} keyOf=${(name) => name} />
    ${asks === "edit" && html`<${Edit} of=${found} channel=${channel} again=${of.again} onClose=${() => ask("")} />`}
    ${asks === "reset" && html`<${Reset} of=${found} channel=${channel} again=${of.again} onClose=${() => ask("")} />`}
  `}<//><//>`;
}

const columns = ({ rules, set_at_run_time: set }) => [
  { name: "rule", title: t("channels.rule"), show: (name) => words("channels.rule_names", name) },
  { name: "value", title: t("channels.value"), show: (name) => shownValue(name, rules[name]), end: true },
  { name: "from", title: t("channels.set_where"), show: (name) =>
    html`<${Badge}>${set.includes(name) ? t("channels.set_here") : t("channels.set_in_file")}<//>` },
];

function shownValue(name, value) {
  if (name === "locations") return value.length ? value.join(", ") : t("channels.all_places");
  if (name === "cap") return value == null ? t("channels.no_cap") : number(value);
  if (name === "percent") return t("channels.percent", { n: value });
  if (name === "cadence_s") return value ? seconds(value) : t("channels.at_once");
  if (name === "reconcile_every_s") return value ? seconds(value) : t("channels.on_demand");
  return number(value);
}

/** "Of 7 it shows 3", live while somebody types. */
function Example({ rules }) {
  const [units, setUnits] = useState(UNITS);
  const shown = publishable(rules, units);
  return html`<div class="filters">
    <${Field} label=${t("channels.example")} type="number" inputmode="numeric" value=${units} step="1"
      onValue=${(text) => setUnits(Math.trunc(Number(text)) || 0)} />
    <p class="big" role="status" aria-label=${t("channels.example_says", { units, shown })}>
      <span aria-hidden="true">${number(units)} → ${number(shown)}</span></p>
  </div>`;
}

/** What was set here before, as it has to be sent again with what changes: the others are those of the file. */
const kept = ({ rules, set_at_run_time: set }) =>
  Object.fromEntries(set.filter((name) => name !== "paused").map((name) => [name, rules[name]]));

function Edit({ of, channel, again, onClose }) {
  const places = useLoad("/v1/locations");
  const [seen] = useState(of.rules);
  const [draft, setDraft] = useState(seen);
  const change = (name, value) => setDraft((before) => ({ ...before, [name]: value }));
  const typed = (name) => (text) => {
    if (name === "cap" && text.trim() === "") change(name, null);
    else if (text.trim() !== "" && !Number.isNaN(Number(text))) change(name, Number(text));
  };
  const done = async ({ reason }) => {
    const changed = ["locations", ...NUMBERS].filter((name) => String(draft[name]) !== String(seen[name]));
    const path = at`/v1/channels/${channel}`;
    const now = await get(path); // what another window has set since stays
    await put(path, { ...kept(now), ...Object.fromEntries(changed.map((name) => [name, draft[name]])), reason });
    await again();
    say(t("channels.rules_set"));
  };
  const known = places.data?.locations.map((each) => each.location) ?? [];
  const names = [...new Set([...known, ...of.rules.locations])];
  return html`<${Dialog} title=${t("channels.edit_rules")} reason onDone=${done} onClose=${onClose}>
    <${Example} rules=${draft} />
    ${NUMBERS.map((name) => html`<${Field} key=${name} label=${words("channels.rule_names", name)} name=${name}
      hint=${words("channels.rule_hints", name)} type="number" min="0" step=${name.endsWith("_s") ? "any" : "1"}
      max=${name === "percent" ? "100" : undefined} required=${name !== "cap"} value=${draft[name] ?? ""}
      onValue=${typed(name)} />`)}
    ${names.length > 0 && html`<fieldset><legend>${t("channels.places")}</legend>
      <small>${t("channels.places_hint")}</small>
      ${names.map((name) => html`<div key=${name}><label class="choice"><input type="checkbox" name="place"
        checked=${draft.locations.includes(name)} onChange=${(e) => change("locations",
          e.currentTarget.checked ? [...draft.locations, name] : draft.locations.filter((each) => each !== name))} />
        ${name}</label></div>`)}</fieldset>`}
  <//>`;
}

function Reset({ of, channel, again, onClose }) {
  const done = async ({ reason }) => {
    await put(at`/v1/channels/${channel}`, { reason });
    await again();
    say(t("channels.rules_set"));
  };
  return html`<${Dialog} title=${t("channels.reset_rules")} reason onDone=${done} onClose=${onClose}>
    <p>${t("channels.reset_means")}</p><//>`;
}
