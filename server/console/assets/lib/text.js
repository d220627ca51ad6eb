// Texts, numbers and times in the language of the reader and the time zone of the stock.
// A text's key is the name of its file, a dot, and its name there: t("today.title") is `title` of texts/*/today.json.

import { nowMs, Refused } from "./api.js";
import { settings } from "./settings.js";
import { value } from "./value.js";

export const LANGUAGES = { en: "English", tr: "Türkçe", ro: "Română" };

const loaded = new Map(); // "tr/today" → texts
export const language = value("en");
export const timeZone = value(Intl.DateTimeFormat().resolvedOptions().timeZone);
const made = new Map();

function preferred() {
  const wanted = [settings.now.language, ...navigator.languages.map((tag) => tag.slice(0, 2))];
  return wanted.find((name) => name in LANGUAGES) || "en";
}

/** "en-GB" where the browser's English is British: its dates are those of the reader. */
export function locale() {
  return navigator.languages.find((tag) => tag.startsWith(language.now)) || language.now;
}

async function read(tongue, name) {
  const key = `${tongue}/${name}`;
  if (!loaded.has(key)) {
    const response = await fetch(new URL(`../texts/${key}.json`, import.meta.url)).catch(() => null);
    if (!response?.ok) throw new Refused(0, { outcome: "no_connection" });
    loaded.set(key, await response.json());
  }
}

const wanted = new Set();

/** Loads the texts of these files, in the language of now. */
export async function loadTexts(...names) {
  names.forEach((name) => wanted.add(name));
  await Promise.all(names.map((name) => read(language.now, name)));
}

/** Changes the language of the whole page, to the one that was chosen, or else the browser's. */
export async function speak(...names) {
  names.forEach((name) => wanted.add(name));
  const tongue = preferred();
  for (let known = 0; known < wanted.size;) { // a screen that is opened meanwhile wants its texts, too
    known = wanted.size;
    await Promise.all([...wanted].map((name) => read(tongue, name)));
  }
  if (tongue !== preferred()) return; // another was chosen meanwhile
  made.clear();
  document.documentElement.lang = tongue;
  language.set(tongue);
}

/** What an object has of its own: "constructor" may be a word of somebody's, and every object has one. */
const own = (found, name) => (found && Object.hasOwn(found, name) ? found[name] : undefined);

function find(key) {
  const [file, ...path] = key.split(".");
  return path.reduce(own, loaded.get(`${language.now}/${file}`));
}

function filled(text, values) {
  return text.replace(/{(\w+)}/g, (all, name) => {
    const given = own(values, name);
    return typeof given === "number" ? number(given) : given ?? all;
  });
}

/** Returns a text. With a plural, `count` in `values` decides which form. */
export function t(key, values = {}) {
  let found = find(key);
  if (found && typeof found === "object") found = found[plural(values.count)] ?? found.other;
  return found === undefined ? key : filled(found, values);
}

/** Returns the text of one of several words of the API: words("today.circuit", "open"); one that is new, as it is. */
export function words(family, word) {
  return own(find(family), word) ?? word;
}

function kept(name, make) {
  if (!made.has(name)) made.set(name, make());
  return made.get(name);
}

const plural = (count) => kept("plural", () => new Intl.PluralRules(language.now)).select(count ?? 0);

export const number = (n) => (n == null ? "–" : kept("number", () => new Intl.NumberFormat(locale())).format(n));

function format(name, options, time) {
  const zoned = () => new Intl.DateTimeFormat(locale(), { timeZone: timeZone.now, ...options });
  return kept(`${name} ${timeZone.now}`, zoned).format(typeof time === "string" ? new Date(time) : time);
}

/** A time with its day; "" where there is none. */
export const when = (time) => (time ? format("when", { dateStyle: "medium", timeStyle: "short" }, time) : "");

/** The time alone, to the second. */
export const clock = (time) => (time ? format("clock", { timeStyle: "medium" }, time) : "");

/** A day; one without a time ("2026-11-30") is the same day everywhere. */
export function day(time) {
  if (!time) return "";
  if (typeof time !== "string" || time.length > 10) return format("day", { dateStyle: "medium" }, time);
  const options = { dateStyle: "medium", timeZone: "UTC" };
  return kept("date", () => new Intl.DateTimeFormat(locale(), options)).format(new Date(`${time}T00:00:00Z`));
}

const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

/** How long ago, or in how long: "3 minutes ago". */
export function ago(time, now = nowMs()) {
  if (!time) return "";
  const seconds = (new Date(time).getTime() - now) / 1000;
  const [unit, length] = STEPS.find(([, each]) => Math.abs(seconds) >= each) || STEPS[3];
  const options = { numeric: "auto" };
  const relative = kept("relative", () => new Intl.RelativeTimeFormat(locale(), options));
  return relative.format(Math.round(seconds / length), unit);
}
