// What the parts of this screen share: how a channel stands, tabs, and asking its publisher.

import { html, Light, say } from "../../lib/parts.js";
import { number, t } from "../../lib/text.js";

/** Links that lead from one view to another. */
export const Tabs = ({ label, tabs }) => html`<nav class="tabs" aria-label=${label}>${tabs.map((each) => html`
  <a key=${each.address} href=${each.address} aria-current=${each.isCurrent ? "page" : undefined}>${each.title}</a>`)}
</nav>`;

/** Says in one light how a channel stands, the worst first. */
export function Standing({ of }) {
  if (of.circuit === "halted") return html`<${Light} tone="bad">${t("channels.halted")}<//>`;
  if (of.circuit === "open") return html`<${Light} tone="bad">${t("channels.failing")}<//>`;
  if (of.publisher_missing) return html`<${Light} tone="bad">${t("channels.missing")}<//>`;
  if (of.paused) return html`<${Light} tone="warn">${t("channels.paused")}<//>`;
  if (of.dead_letters) return html`<${Light} tone="warn">${t("channels.refusing")}<//>`;
  return html`<${Light} tone="good">${t("channels.works")}<//>`;
}

/** A time in seconds with few digits: 40 ms, 1.2 s, 5 min, 3 h. */
export function seconds(time) {
  if (time == null) return "–";
  if (time < 1) return t("channels.milliseconds", { n: Math.round(time * 1000) });
  if (time < 60) return t("channels.seconds", { n: Math.round(time * 10) / 10 });
  if (time < 3600) return t("channels.minutes", { n: Math.round(time / 60) });
  return t("channels.hours", { n: Math.round(time / 3600) });
}

/** How many wait, and since when. */
export const waiting = (of) =>
  of.dirty ? t("channels.waiting_since", { count: of.dirty, time: seconds(of.oldest_unsent_s) }) : number(0);

/** Says that a command was taken; where no publisher runs, that it waits. */
export function asked(answer) {
  if (answer.publisher_missing) say(t("channels.asked_later"), "bad");
  else say(t("channels.asked"));
}

/** What a channel shows of so many units under its rules, as the server works it out. */
export function publishable(rules, units) {
  const shown = Math.floor((Math.max(0, units - rules.buffer) * rules.percent) / 100);
  if (shown < rules.min_publish) return 0;
  return rules.cap == null ? shown : Math.min(shown, rules.cap);
}
