// Where to count or receive.

import { newKey } from "../../lib/api.js";
import { usePlaces } from "../../lib/load.js";
import { Failed, Field, html, Section, useState } from "../../lib/parts.js";
import { t } from "../../lib/text.js";
import { forgetScans } from "./scans.js";
import { setWork } from "./work.js";

const MAIN = "main"; // the place of who has not registered any

export function Begin({ partition }) {
  const places = usePlaces();
  const [isOther, setOther] = useState(false);
  const names = [...new Set([...places.names, MAIN])];
  const begin = (event) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const location = (isOther ? given.get("other") : given.get("location")).trim();
    const mode = event.submitter?.value ?? "count";
    forgetScans();
    if (location) setWork({ mode, partition, location, rows: [], sending: null, key: newKey() });
  };
  return html`<${Section} title=${t("count.where")}>
    ${places.error && html`<${Failed} error=${places.error} again=${places.again} />`}
    <form onSubmit=${begin}>
      <${Field} label=${t("count.place")} as="select" name="location"
        onChange=${(e) => setOther(e.currentTarget.value === "")}>
        ${names.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
        <option value="">${t("count.other_place")}</option><//>
      ${isOther && html`<${Field} label=${t("count.other_name")} name="other" required maxlength="64"
        autocomplete="off" />`}
      <p class="choices">
        <button type="submit" class="main" name="mode" value="count">${t("count.begin_count")}</button>
        <button type="submit" class="main" name="mode" value="receive">${t("count.begin_receive")}</button>
      </p>
    </form>
    <p class="soft">${t("count.kept_here")}</p><//>`;
}
