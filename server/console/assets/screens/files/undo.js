// Takes an import back: first it says what would come of that.

import { at, post, Refused, withQuery } from "../../lib/api.js";
import { Dialog, Failed, html, say, useEffect, useState } from "../../lib/parts.js";
import { number, t } from "../../lib/text.js";

const Lines = ({ title, total, lines }) => total > 0 && html`<h3>${title} (${number(total)})</h3>
  <ul lang="en">${lines.map((text, i) => html`<li key=${i}>${text}</li>`)}</ul>`;

function Undone({ found }) {
  return html`
    ${found.taken_back_total === 0 && html`<p>${t("files.nothing_back")}</p>`}
    <${Lines} title=${t("files.taken_back")} total=${found.taken_back_total} lines=${found.taken_back} />
    <${Lines} title=${t("files.stays_put")} total=${found.refused_total}
      lines=${found.refused.map((each) => `${each.what}: ${each.reason}`)} />
    ${found.stays.length > 0 && html`<ul class="soft" lang="en">${found.stays.map((text, i) =>
      html`<li key=${i}>${text}</li>`)}</ul>`}`;
}

/** `isRunning`: it was interrupted, and a person says that it does not run any more. */
export function Undo({ id, file, isRunning = false, onDone, onClose }) {
  const [found, setFound] = useState(null);
  const [error, setError] = useState(null);
  const [short, setShort] = useState(false);
  const path = (isDry, reason = "") => withQuery(at`/v1/imports/${id}/undo`, {
    dry_run: String(isDry), reason: reason.trim(), short: short ? "true" : "", interrupted: isRunning ? "true" : "",
  });
  useEffect(() => {
    let gone = false;
    setError(null);
    post(path(true)).then((view) => gone || setFound(view), (fault) => gone || setError(fault));
    return () => (gone = true);
  }, [id, short]);
  const done = async ({ reason }) => {
    if (!found) throw new Refused(0, { title: t("files.undo_looks") });
    const view = await post(path(false, reason));
    say(t("files.undone", { count: view.taken_back_total }));
    onDone();
  };
  return html`<${Dialog} title=${t("files.undo_title", { file })} doneTitle=${t("files.undo")} tone="bad" reason
    onDone=${done} onClose=${onClose}>
    ${isRunning && html`<p class="note warn">${t("files.interrupted")}</p>`}
    ${error ? html`<${Failed} error=${error} />`
      : found ? html`<${Undone} found=${found} />`
      : html`<p class="busy" aria-busy="true">${t("files.undo_looks")}</p>`}
    ${(found?.refused_total > 0 || short) && html`<p><label><input type="checkbox" name="short" checked=${short}
      onChange=${(event) => setShort(event.currentTarget.checked)} /> ${t("files.may_be_short")}</label></p>`}<//>`;
}
