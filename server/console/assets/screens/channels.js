// Channels and listings: how each channel stands, its rules, what it shows and will not take, and what maps to what.

import { html, Title } from "../lib/parts.js";
import { to } from "../lib/route.js";
import { t } from "../lib/text.js";
import { ChannelList } from "./channels/list.js";
import { Matrix } from "./channels/matrix.js";
import { Channel } from "./channels/one.js";
import { Tabs } from "./channels/parts.js";

export default function Channels({ names, query, may }) {
  const [channel] = names;
  if (channel) return html`<${Channel} key=${channel} channel=${channel} tab=${query.tab} query=${query} may=${may} />`;
  const isMatrix = query.tab === "matrix";
  const tabs = [
    { title: t("channels.title"), address: to("channels"), isCurrent: !isMatrix },
    { title: t("channels.matrix"), address: to("channels", [], { tab: "matrix" }), isCurrent: isMatrix },
  ];
  return html`<${Title}>${isMatrix ? t("channels.matrix") : t("channels.title")}<//>
    <${Tabs} label=${t("channels.views")} tabs=${tabs} />
    ${isMatrix ? html`<${Matrix} sought=${query.q ?? ""} may=${may} />` : html`<${ChannelList} />`}`;
}
