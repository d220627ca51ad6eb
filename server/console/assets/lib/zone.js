// Days and times as a person enters them, which are those of the time zone of the stock.

import { timeZone } from "./text.js";

function wallClockMs(instant, zone) {
  const parts = new Intl.DateTimeFormat("en-US", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric",
    minute: "numeric", second: "numeric",
  }).formatToParts(instant);
  const { year, month, day, hour, minute, second } = Object.fromEntries(parts.map((each) => [each.type, +each.value]));
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** The instant of a local time ("2026-11-30T14:05"), for the API; "" where there is none. */
export function instantOf(local) {
  const [year, month, day, hour = 0, minute = 0] = (local ?? "").split(/[-T:]/).map(Number);
  const wanted = Date.UTC(year, month - 1, day, hour, minute);
  if (!local || Number.isNaN(wanted) || year < 1970) return ""; // a year that is still being typed
  let instant = wanted;
  // Twice: around the change of a clock, the first guess stands on its other side.
  for (let i = 0; i < 2; i++) instant += wanted - wallClockMs(instant, timeZone.now);
  return new Date(instant).toISOString();
}

/** When a day ("2026-11-30") begins, or the day so many `days` later; "" for none. */
export function begins(day, days = 0) {
  const date = day ? new Date(`${day}T00:00:00Z`) : NaN;
  if (Number.isNaN(+date)) return "";
  date.setUTCDate(date.getUTCDate() + days);
  return instantOf(date.toISOString().slice(0, 16));
}
