// Count and receive, for a phone at the counter: scan, look at the differences, approve.

import { html, Title } from "../lib/parts.js";
import { t } from "../lib/text.js";
import { useValue } from "../lib/value.js";
import { Begin } from "./count/begin.js";
import { Counting } from "./count/counting.js";
import { Receiving } from "./count/receiving.js";
import { Sending } from "./count/sending.js";
import { setWork, work } from "./count/work.js";

export default function Count({ session }) {
  const now = useValue(work);
  const isOurs = now && now.partition === session.partition;
  if (!isOurs) return html`<${Title}>${t("count.title")}<//><${Begin} partition=${session.partition} />`;
  const title = now.mode === "count" ? t("count.counting", { place: now.location })
    : t("count.receiving", { place: now.location });
  const leave = () => setWork(null);
  return html`<${Title}>${title}<//>
    ${now.sending ? html`<${Sending} of=${now} who=${session.person} />`
      : now.mode === "count" ? html`<${Counting} of=${now} who=${session.person} onLeave=${leave} />`
        : html`<${Receiving} of=${now} who=${session.person} onLeave=${leave} />`}`;
}
