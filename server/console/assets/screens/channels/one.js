// One channel: how it stands, and what can be done about it.

import { at, post } from "../../lib/api.js";
import { useLoad } from "../../lib/load.js";
import { Action, Badge, Dialog, html, Loaded, say, Section, Title, useState } from "../../lib/parts.js";
import { to } from "../../lib/route.js";
import { ago, number, t, when, words } from "../../lib/text.js";
import { DeadLetters, Listings } from "./listings.js";
import { asked, seconds, Standing, Tabs, waiting } from "./parts.js";
import { Rules } from "./rules.js";
import { Unmapped } from "./unmapped.js";

const EVERY_MS = 2000;
const RULES_MS = 5000; // another window may set them, or pause the channel

export function Channel({ channel, tab, query, may }) {
  const status = useLoad(at`/v1/channels/${channel}/status`, { every: EVERY_MS });
  const rules = useLoad(at`/v1/channels/${channel}`, { every: RULES_MS });
  const [asks, ask] = useState("");
  const isOwner = may("admin");
  const again = () => Promise.all([status.again(), rules.again()]);
  const command = (name) => async () => asked(await post(at`/v1/channels/${channel}/` + name));
  const isPaused = rules.data?.rules.paused ?? status.data?.paused;
  const actions = isOwner && html`
    <${Action} onAct=${command("test")}>${t("channels.test")}<//>
    <button type="button" onClick=${() => ask(isPaused ? "resume" : "pause")}>
      ${isPaused ? t("channels.resume") : t("channels.pause")}</button>`;
  const views = [
    ["", t("channels.overview")],
    ["step", t("channels.out_of_step")],
    ["refused", t("channels.refused")],
    ["listings", t("channels.listings")],
  ];
  const tabs = views.map(([name, title]) => ({
    title, address: to("channels", [channel], { tab: name }), isCurrent: (tab ?? "") === name,
  }));
  const shared = { channel, may, status, listsAll: rules.data?.listings === "all", onCompare: command("reconcile") };
  return html`<${Title} actions=${actions}>${channel}<//>
    <p><a href=${to("channels")}>${t("channels.back")}</a></p>
    <${Tabs} label=${t("channels.views")} tabs=${tabs} />
    ${!tab && html`<${Overview} ...${shared} />
      <${Rules} of=${rules} channel=${channel} may=${may} />
      <${Unmapped} channel=${channel} may=${may} />`}
    ${tab === "step" && html`<${OutOfStep} ...${shared} />`}
    ${tab === "refused" && html`<${DeadLetters} ...${shared} />`}
    ${tab === "listings" && html`<${Listings} channel=${channel} state=${query.state ?? ""} sku=${query.sku ?? ""} />`}
    ${asks && html`<${Pause} channel=${channel} how=${asks} onClose=${() => ask("")} onDone=${again} />`}`;
}

function Pause({ channel, how, onClose, onDone }) {
  const isPause = how === "pause";
  const done = async ({ reason }) => {
    await post(at`/v1/channels/${channel}/` + how, { reason });
    await onDone();
    say(isPause ? t("channels.is_paused") : t("channels.is_resumed"));
  };
  const title = isPause ? t("channels.pause") : t("channels.resume");
  return html`<${Dialog} title=${title} reason tone=${isPause ? "bad" : ""} doneTitle=${title} onDone=${done}
    onClose=${onClose}>
    <p>${isPause ? t("channels.pause_means") : t("channels.resume_means")}</p><//>`;
}

const Compare = ({ may, onCompare }) =>
  may("admin") && html`<${Action} onAct=${onCompare}>${t("channels.compare")}<//>`;

/** What somebody does about a channel that nothing reaches. */
function ToDo({ of, may, onCompare }) {
  const trouble = of.circuit === "halted" || of.circuit === "open" ? of.circuit : of.publisher_missing && "missing";
  return trouble && html`<p>${words("channels.to_do", trouble)}</p>
    ${trouble !== "missing" && html`<p><${Compare} may=${may} onCompare=${onCompare} /></p>`}`;
}

function Overview({ status: read, listsAll, may, onCompare }) {
  return html`<${Loaded} of=${read}>${(status) => html`<${Section} title=${t("channels.standing")}>
    <p><${Standing} of=${status} /> ${status.paused && status.circuit !== "closed" &&
      html`<${Badge} tone="warn">${t("channels.paused")}<//>`}</p>
    ${status.reason && html`<p class="note bad">${status.reason}</p>`}
    <${ToDo} of=${status} may=${may} onCompare=${onCompare} />
    <dl>
      <dt>${t("channels.confirmed")}</dt>
      <dd>${status.last_confirmed_at ? `${when(status.last_confirmed_at)} · ${ago(status.last_confirmed_at)}`
        : t("channels.never")}</dd>
      <dt>${t("channels.lag")}</dt>
      <dd>${t("channels.lags", { half: seconds(status.lag_p50_s), most: seconds(status.lag_p99_s) })}</dd>
      <dt>${t("channels.waiting")}</dt><dd>${waiting(status)}</dd>
      <dt>${t("channels.on_its_way")}</dt><dd>${number(status.in_flight + status.tickets)}</dd>
      <dt>${t("channels.listings")}</dt><dd>${number(status.listings)}
        ${listsAll && ` · ${t("channels.lists_all")}`}</dd>
      <dt>${t("channels.refused")}</dt><dd>${number(status.dead_letters)}</dd>
      <dt>${t("channels.tested")}</dt><dd><${Tested} of=${status.test} /></dd>
      ${status.intake && html`<dt>${t("channels.orders")}</dt>
        <dd>${status.intake.reason || t("channels.orders_known", { time: seconds(status.intake.lag_s) })}</dd>`}
    </dl><//>`}<//>`;
}

function Tested({ of }) {
  if (!of) return t("channels.never");
  const [tone, word] = of.answered === null ? ["quiet", t("channels.not_known")]
    : of.answered ? ["good", t("channels.answered")] : ["bad", t("channels.not_answered")];
  return html`<${Badge} tone=${tone}>${word}<//> ${ago(of.finished_at)} ${of.reason}`;
}

function OutOfStep({ channel, may, status, onCompare }) {
  const last = status.data?.reconcile;
  const found = last && { time: when(last.finished_at), checked: last.checked, differed: last.differed };
  const actions = html`<${Compare} may=${may} onCompare=${onCompare} />`;
  // A channel that lists every SKU has rows for those alone that have a listing of their own.
  const waits = status.data ? status.data.dirty + status.data.in_flight + status.data.tickets : 0;
  const empty = !status.data ? t("frame.loading") : waits > 0
    ? html`${t("channels.others_wait", { count: waits })}
      ${" "}<a href=${to("channels", [], { tab: "matrix" })}>${t("channels.matrix")}</a>` : t("channels.in_step");
  return html`<${Section} title=${t("channels.compared")} actions=${actions}>
      <p>${last ? t("channels.compared_found", found) : t("channels.never")}
        ${last && !last.read_back ? ` ${t("channels.sent_all")}` : ""}</p><//>
    <${Listings} channel=${channel} state="pending" sku="" title=${t("channels.out_of_step")}
      empty=${empty} />`;
}
