// Sends what was approved, step by step. Each may be sent again: it has its key, so nothing is booked twice.

import { newKey, post, Refused } from "../../lib/api.js";
import { explain, Failed, html, say, Section, useEffect, useState } from "../../lib/parts.js";
import { t } from "../../lib/text.js";
import { Leave } from "./scans.js";
import { setWork, withRows, work } from "./work.js";

const REFUSALS = [400, 404, 409, 413, 422]; // for good; all else may go another time

const ASKED = ["similar_name", "unregistered_location"]; // a new name, which somebody may say is meant

const returned = ({ apart, ...row }, refused) => ({
  ...row, problem: `${explain(refused)} ${refused.detail}`, asks: ASKED.includes(refused.outcome),
});

/** What came of a step: the rows that are booked, those that come back, and what there is to say of others. */
function outcome(step, whyNot) {
  const booked = [];
  const rows = [];
  const notes = [];
  step.rows.forEach((row, i) => {
    const why = whyNot(i);
    if (why === null) booked.push(row);
    else if (row.isNote) notes.push(`${row.sku}: ${explain(why)} ${why.detail}`);
    else rows.push(returned(row, why));
  });
  return { booked, rows, notes };
}

function whyRefused(result) {
  if (!result || result.status < 300) return null; // a transfer has one answer for all
  return new Refused(result.status, result.problem ?? { outcome: result.outcome });
}

async function sent(step) {
  try {
    const answer = await post(step.path, step.body, { key: step.key });
    return outcome(step, (i) => whyRefused(answer.results?.[i]));
  } catch (error) {
    if (!(error instanceof Refused) || !REFUSALS.includes(error.status)) throw error;
    return outcome(step, () => error);
  }
}

/** What follows from a step: damaged units are set apart where they have been received. */
function following(step, booked) {
  const rows = booked.filter((row) => row.apart);
  if (!rows.length) return [];
  const body = { movements: rows.map((row) => row.apart) };
  return [{ path: step.path, body, key: `${step.key}-d`, rows: rows.map(({ sku }) => ({ sku, isNote: true })) }];
}

/** Sends until all is answered; throws where it cannot be known, or the server is too busy. */
async function sendAll() {
  while (work.now?.sending?.steps.length) {
    const [step, ...rest] = work.now.sending.steps;
    const { booked, rows, notes } = await sent(step);
    const { sending } = work.now;
    setWork({
      ...work.now, rows: withRows(work.now.rows, rows),
      sending: {
        ...sending,
        steps: [...following(step, booked), ...rest], notes: [...sending.notes, ...notes],
        booked: sending.booked + booked.filter((row) => !row.isNote).length,
      },
    });
  }
  const { rows, sending } = work.now;
  const tone = rows.length || sending.notes.length ? "bad" : "good";
  say([t("count.booked", { count: sending.booked }), ...sending.notes].join(" "), tone);
  setWork(rows.length ? { ...work.now, sending: null, key: newKey() } : null);
}

let running = null;

/** Sends what is left; who asks while that goes on gets the end of the same. */
const send = () => (running ??= sendAll().finally(() => (running = null)));

/** `who` is signed in now; what somebody else has approved is sent in that person's name only if they say so. */
export function Sending({ of, who }) {
  const { by = who } = of.sending;
  const [isTaken, take] = useState(by === who);
  if (isTaken) return html`<${UnderWay} of=${of} />`;
  return html`<${Section} title=${t("count.sending")}>
    <div class="note warn" role="alert"><p>${t("count.approved_by", { person: by })}</p><div class="actions">
      <button type="button" class="main" onClick=${() => take(true)}>${t("count.send_mine")}</button>
      <${Leave} onLeave=${() => setWork(null)} /></div></div><//>`;
}

function UnderWay({ of }) {
  const [error, setError] = useState(null);
  const begin = () => {
    setError(null);
    send().catch(setError);
  };
  useEffect(begin, []);
  return html`<${Section} title=${t("count.sending")}>
    ${error ? html`<${Failed} error=${error} again=${begin} /><p>${t("count.sends_once")}</p>`
      : html`<p class="busy" aria-busy="true">${t("count.sending_left", { count: of.sending.steps.length })}</p>`}<//>`;
}
