// What needs somebody, each in a line of words, the worst first: the screen in one look.

import { html, Light, Section } from "../../lib/parts.js";
import { t, when, words } from "../../lib/text.js";
import { toneOf } from "./channels.js";

const NAMED = 3;

const unread = ({ data, error }) => !data && error?.outcome !== "documents_missing";

/** "A, B, C …": the first names of things that there may be many of, each once. */
function few(names) {
  const known = [...new Set(names)];
  return known.slice(0, NAMED).join(", ") + (known.length > NAMED ? " …" : "");
}

const short = ({ shortages }) => shortages.length > 0 && {
  part: "short", tone: "bad", text: t("today.needs_short", { count: shortages.length }),
  names: few(shortages.map((each) => each.sku)),
};

const inbox = ({ entries }) => entries.length > 0 && {
  part: "inbox", tone: "bad", text: t("today.needs_inbox", { count: entries.length }),
  names: few(entries.map((each) => `${each.channel} ${each.number} (${words("today.reasons", each.reason)})`)),
};

const out = ({ skus }) => skus.length > 0 && {
  part: "out", tone: "warn", text: t("today.needs_out", { count: skus.length }),
  names: few(skus.map((each) => each.sku)),
};

function channels({ channels: all }) {
  const unreached = all.filter((each) => toneOf(each) === "bad");
  const behind = all.filter((each) => toneOf(each) === "warn");
  const names = (some) => few(some.map((each) => each.channel));
  return [
    unreached.length > 0 && { part: "channels", tone: "bad", names: names(unreached),
      text: t("today.needs_channel", { count: unreached.length }) },
    behind.length > 0 && { part: "channels", tone: "warn", names: names(behind),
      text: t("today.needs_behind", { count: behind.length }) },
  ];
}

function due({ books, deliveries, halted, today }) {
  const late = deliveries.filter((each) => each.expected_on < today);
  return [
    halted && { part: "channels", tone: "bad", text: t("today.needs_release", { time: when(halted.taken_at) }),
      names: "holdfast restore --release" },
    books.checked_at !== null && !books.agree &&
      { part: "books", tone: "bad", text: t("today.needs_books"), names: "" },
    late.length > 0 && { part: "deliveries", tone: "warn", text: t("today.needs_delivery", { count: late.length }),
      names: few(late.map((each) => `${each.reference || each.supply_id} (${each.sku})`)) },
  ];
}

/** Goes to a part of the page, for readers of the screen, too. */
function show(part) {
  const title = document.getElementById(`${part}-title`);
  title?.scrollIntoView({ block: "start" });
  title?.focus({ preventScroll: true });
}

const TOLD = { short, channels, inbox, out, due };

/** `reads`: what useLoad has of each part. What could not be read says so in its own part, and is not well. */
export function Needs({ reads }) {
  const told = Object.entries(TOLD).flatMap(([part, tell]) => (reads[part].data ? tell(reads[part].data) : []));
  const found = told.filter(Boolean).sort((a, b) => (a.tone < b.tone ? -1 : a.tone > b.tone ? 1 : 0));
  const waits = Object.values(reads).some(unread);
  return html`<${Section} id="needs" title=${t("today.needs")}>
    <ul class="plain">${found.map(({ part, tone, text, names }) => html`<li key=${part + tone}>
      <${Light} tone=${tone}><span>
        <button type="button" class="link" onClick=${() => show(part)}>${text}</button>${names && ` ${names}`}</span>
      <//></li>`)}</ul>
    ${waits ? html`<p class="busy" aria-busy=${Object.values(reads).some((each) => each.loading)}>
      ${t("frame.loading")}</p>`
      : found.length === 0 && html`<p><${Light} tone="good">${t("today.needs_nobody")}<//></p>`}<//>`;
}
