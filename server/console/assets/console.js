// Begins: who is there, in which language, which screen.

import {
  html, render, useCallback, useEffect, useErrorBoundary, useLayoutEffect, useState,
} from "./vendor/htm-preact.js";
import { api, del, get, Refused, useSession } from "./lib/api.js";
import "./lib/clicks.js";
import { isTyping, useScan } from "./lib/keys.js";
import { start, state as stream, stop } from "./lib/live.js";
import { Action, explain, Failed, Field, Light, Said, say } from "./lib/parts.js";
import { go, route, to } from "./lib/route.js";
import { choose, followOthers, settings, showTheme } from "./lib/settings.js";
import { LANGUAGES, language, loadTexts, speak, t, timeZone, words } from "./lib/text.js";
import { useValue, value } from "./lib/value.js";
import { SCREENS } from "./screens.js";

/** Who is signed in: what GET /v1/console/session says; null: nobody. */
const session = value(null);

const AHEAD_MS = 500; // for the first screen to be there

const may = (scopes, scope) => scopes.includes(scope) || (scope !== "metrics" && scopes.includes("admin"));

/** Whether this browser knows a time zone: an old one may not know a new name. */
function isKnown(zone) {
  try {
    return Boolean(zone && Intl.DateTimeFormat("en", { timeZone: zone }));
  } catch {
    return false;
  }
}

async function begin(shown) {
  useSession(shown.csrf_token, ends);
  const zone = await get("/v1/time-zone").catch(() => null);
  if (zone && isKnown(zone.time_zone)) timeZone.set(zone.time_zone);
  session.set(shown);
  choose({ signedIn: !shown.open });
  start();
}

function ended() {
  if (!session.now) return;
  stop();
  useSession("", () => {});
  choose({ signedIn: false });
  session.set(null);
}

/** The server has ended it: what was being entered is gone, and somebody has to hear why. */
function ends() {
  if (session.now) say(t("frame.session_ended"), "bad");
  ended();
}

async function signOut() {
  const { csrf_token: token } = session.now;
  stop();
  useSession(token, ended); // what is being read meanwhile may find the session ended, as it was meant to
  try {
    await del("/v1/console/session");
  } catch (error) {
    if (error.status === 401) return;
    useSession(token, ends);
    start();
    throw new Refused(0, { title: `${explain(error)} ${t("frame.still_signed_in")}` });
  }
  ended();
}

/** Another window has chosen something, or signed in or out: all windows have one session between them. */
function follow() {
  showTheme();
  speak().catch(() => {}); // it goes on in the language that it has
  if (!settings.now.signedIn && session.now && !session.now.open) ends();
  if (settings.now.signedIn && !session.now) get("/v1/console/session").then(begin).catch(() => {});
}

function Choices() {
  useValue(language);
  const { theme } = useValue(settings);
  const speakAs = (tongue) => {
    choose({ language: tongue });
    speak().catch((error) => say(explain(error), "bad"));
  };
  return html`
    <select aria-label=${t("frame.language")} value=${language.now} onChange=${(e) => speakAs(e.currentTarget.value)}>
      ${Object.entries(LANGUAGES).map(([tongue, title]) => html`<option value=${tongue}>${title}</option>`)}
    </select>
    <select aria-label=${t("frame.theme")} value=${theme}
      onChange=${(e) => (choose({ theme: e.currentTarget.value }), showTheme())}>
      <option value="">${t("frame.theme_system")}</option>
      <option value="light">${t("frame.theme_light")}</option>
      <option value="dark">${t("frame.theme_dark")}</option>
    </select>`;
}

function SignIn() {
  useValue(language);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    const { person, key } = Object.fromEntries(new FormData(event.currentTarget));
    setBusy(true);
    setError(null);
    try {
      const headers = { Authorization: `Bearer ${key.trim()}` };
      await begin(await api("POST", "/v1/console/session", { person: person.trim() }, { headers }));
      choose({ person: person.trim() });
    } catch (fault) {
      setError(fault);
      setBusy(false);
    }
  };
  return html`<main class="sign-in"><form onSubmit=${submit}>
    <h1>Holdfast</h1>
    <p>${t("frame.sign_in_text")}</p>
    <${Field} label=${t("frame.person")} hint=${t("frame.person_hint")} name="person" required maxlength="64"
      autocomplete="username" defaultValue=${settings.now.person} />
    <${Field} label=${t("frame.key")} name="key" type="password" required autocomplete="current-password"
      spellcheck=${false} />
    ${error && html`<${Failed} error=${error} />`}
    <button type="submit" class="main" disabled=${busy} aria-busy=${busy}>${t("frame.sign_in")}</button>
    <div class="choices"><${Choices} /></div>
  </form></main>`;
}

const readScreen = (screen) => Promise.all([screen.load(), loadTexts(screen.name)]);

/** Reads what the search and a scanner open before anybody has used them, once the first screen has had its turn. */
function useReadAhead(screens) {
  useEffect(() => {
    const found = screens.find((each) => each.name === "product");
    const soon = setTimeout(() => found && readScreen(found).catch(() => {}), AHEAD_MS); // who opens it is told why
    return () => clearTimeout(soon);
  }, []);
}

/** A screen's module and its texts, read when it is opened first. */
function useScreen(screen) {
  const [shown, show] = useState({ name: "", part: null, error: null });
  useEffect(() => {
    let gone = false;
    readScreen(screen).then(
      ([module]) => gone || show({ name: screen.name, part: module.default, error: null }),
      () => gone || show({ name: screen.name, part: null, error: new Refused(0, { outcome: "no_connection" }) }),
    );
    return () => (gone = true);
  }, [screen]);
  return shown.name === screen.name ? shown : { part: null, error: null };
}

function Screen({ screen, at }) {
  const { part, error } = useScreen(screen);
  const [broken, mend] = useErrorBoundary((fault) => console.error(fault));
  // Together with the drawing, and not from under somebody's fingers: the rest of a scan would go astray.
  useLayoutEffect(() => {
    if (part && !isTyping()) document.querySelector("main h1")?.focus();
  }, [part, at.screen]);
  useEffect(() => mend(), [at]);
  if (error || broken) return html`<${Failed} error=${error || broken} again=${() => location.reload()} />`;
  if (!part) return html`<p class="busy" aria-busy="true">${t("frame.loading")}</p>`;
  return html`<${part} names=${at.names} query=${at.query} session=${session.now} may=${(scope) =>
    may(session.now.scopes, scope)} />`;
}

function Search() {
  const search = (event) => {
    event.preventDefault();
    const sought = event.currentTarget.elements.q.value.trim();
    event.currentTarget.elements.q.select(); // what is typed or scanned next takes its place
    if (sought) go(to("product", [], { q: sought, open: 1 }));
  };
  return html`<form class="search" role="search" onSubmit=${search}>
    <input type="search" name="q" data-search aria-label=${t("frame.search")} placeholder=${t("frame.search_hint")}
      aria-keyshortcuts="/" autocomplete="off" enterkeyhint="search" />
  </form>`;
}

function Stream() {
  const now = useValue(stream);
  return html`<${Light} tone=${now === "on" ? "good" : "warn"}>
    ${now === "on" ? t("frame.live") : t("frame.reconnecting")}<//>`;
}

function Frame() {
  useValue(language);
  const at = useValue(route);
  const who = session.now;
  useScan(useCallback((scanned) => go(to("product", [], { q: scanned, open: 1 })), []));
  const shown = SCREENS.filter((each) => each.needs.some((scope) => may(who.scopes, scope)));
  const screen = shown.find((each) => each.name === at.screen) || shown[0];
  useReadAhead(shown);
  // `data-at`: the address that is drawn. Who drives the page, as tests do, waits until it is the one asked for.
  return html`
    <a class="skip" href="#main" onClick=${(e) => (e.preventDefault(), document.querySelector("main").focus())}>
      ${t("frame.skip")}</a>
    <header class="bar">
      <strong class="brand">Holdfast</strong>
      <nav aria-label=${t("frame.menu_title")}>${shown.map((each) => html`
        <a key=${each.name} href=${to(each.name)} aria-current=${each === screen ? "page" : undefined}>
          ${words("frame.menu", each.name)}</a>`)}</nav>
      <${Search} />
      <${Stream} />
    </header>
    <main id="main" tabindex="-1" data-at=${location.hash}>
      ${screen && html`<${Screen} key=${screen.name} screen=${screen} at=${at} />`}</main>
    <footer class="foot">
      <span>${who.open ? t("frame.no_key_needed") : html`${who.person} · ${who.key_name || who.key_id} ·
        ${" "}${words("frame.roles", who.role)}`}</span>
      <span>${who.partition} · ${timeZone.now}</span>
      <span class="choices"><${Choices} />
        ${!who.open && html`<${Action} onAct=${signOut}>${t("frame.sign_out")}<//>`}</span>
    </footer>`;
}

function Console() {
  return html`${useValue(session) ? html`<${Frame} />` : html`<${SignIn} />`}<${Said} />`;
}

async function main() {
  showTheme();
  followOthers(follow);
  await speak("frame");
  if (settings.now.signedIn || document.documentElement.dataset.keys === "none") {
    await get("/v1/console/session").then(begin).catch((error) => {
      choose({ signedIn: false });
      if (error.status !== 401) say(`${explain(error)} ${error.detail}`, "bad");
    });
  }
  render(html`<${Console} />`, document.getElementById("console"));
}

main();
