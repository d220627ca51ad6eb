// Reads for a component: what it shows, whether it is still being read, and why it could not be.

import { useCallback, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { get } from "./api.js";
import { useChanges } from "./live.js";
import { Weighed } from "./weighed.js";

const PAUSE_MS = 1000;
const PAUSE_ONE_MS = 500; // of one SKU: what is sold twice in a second is right within that second
const SLOW_MS = 10000; // so long a read is waited for before it is begun anew
const AT_ONCE = 2; // reports that a key may have running: a third would wait at the server, and be refused in the end

let reading = 0;
const waiting = [];

async function inTurn(read) {
  if (reading < AT_ONCE) reading += 1;
  else await new Promise((begin) => waiting.push(begin));
  try {
    return await read();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else reading -= 1;
  }
}

/** Reads all places: those that are registered, and others at which something lies. {names, error, again} */
export function usePlaces() {
  const [isBare, setBare] = useState(false); // a server without documents knows the registered ones
  const found = useLoad(isBare ? "/v1/locations" : "/v1/locations?unregistered=true");
  useEffect(() => {
    if (found.error?.outcome === "documents_missing") setBare(true);
  }, [found.error]);
  return { ...found, error: isBare || found.error?.outcome !== "documents_missing" ? found.error : null,
    names: found.data?.locations.map((each) => each.location) ?? [] };
}

/** Reads a path once, in turn with what the components read. Throws Refused. */
export const readInTurn = (path) => inTurn(() => get(path));

/**
 * Reads a path; null reads nothing. Returns {data, error, loading, again}.
 *
 * `live`: read again when something changes: true for any SKU, a SKU for that one, or what tells from the changes and
 * the data whether they may change it; see weighed.js. `pause`: but not sooner than so many milliseconds after the last
 * time. `every`: read again after so many, too. What is shown stays until something newer has come.
 */
export function useLoad(path, { live = false, every = 0, pause } = {}) {
  const rest = pause ?? (typeof live === "string" ? PAUSE_ONE_MS : PAUSE_MS);
  const [shown, show] = useState({ path: null, data: null, error: null, loading: true });
  const at = useRef({ abort: null, last: 0, timer: 0, wanted: path, concerns: null, weighed: new Weighed() });
  at.current.wanted = path;
  at.current.concerns = typeof live === "function" ? live : null;

  const read = useCallback(async (unattended = false) => {
    const now = at.current;
    const { wanted: asked, concerns, weighed } = now;
    clearTimeout(now.timer);
    now.timer = 0;
    now.abort?.abort();
    if (asked === null) {
      show({ path: null, data: null, error: null, loading: false });
      return;
    }
    const { signal } = (now.abort = new AbortController());
    now.last = performance.now();
    weighed.begin();
    try {
      const data = await inTurn(() => get(asked, { signal, unattended }));
      if (now.wanted !== asked) return;
      show({ path: asked, data, error: null, loading: false });
      const again = concerns && weighed.end(data, concerns);
      if (again) soon(again === "soon" ? PAUSE_MS : rest);
    } catch (error) {
      if (error.name === "AbortError" || now.wanted !== asked) return;
      show((before) => ({ path: asked, data: before.path === asked ? before.data : null, error, loading: false }));
      if (concerns && weighed.end(null, concerns)) soon();
    } finally {
      if (now.abort?.signal === signal) now.abort = null;
    }
  }, []);

  const soon = useCallback((pause = rest) => {
    const now = at.current;
    if (now.timer || now.wanted === null) return;
    const due = () => {
      // What is begun anew with each change would never come to its end where changes come faster than answers.
      if (now.abort && performance.now() - now.last < SLOW_MS) now.timer = setTimeout(due, rest);
      else read(true);
    };
    now.timer = setTimeout(due, Math.max(0, pause - (performance.now() - now.last)));
  }, []);

  useEffect(() => {
    show((before) => ({ ...before, loading: true }));
    read();
    return () => {
      at.current.abort?.abort();
      clearTimeout(at.current.timer);
      at.current.timer = 0;
    };
  }, [path]);
  useEffect(() => {
    if (!every) return undefined;
    const ticking = setInterval(() => document.visibilityState === "visible" && soon(), every);
    return () => clearInterval(ticking);
  }, [every]);
  useChanges(({ skus, all }) => {
    if (!live) return;
    const { concerns, weighed } = at.current;
    if (all || live === true || (concerns ? weighed.changed(skus, concerns) : skus.has(live))) soon();
  }, [live]);

  const fits = shown.path === path;
  return { ...shown, data: fits ? shown.data : null, error: fits ? shown.error : null, again: () => read() };
}

/**
 * Reads a list page by page: {rows, error, loading, more, again}; `more` is null on the last page. What was asked for
 * with `more` stays when the list is read again, as many pages as there were.
 */
export function usePages(path, pick, options) {
  const first = useLoad(path, options);
  const [rest, setRest] = useState({ path: null, of: null, pages: [] });
  const kept = rest.path === path ? rest.pages : [];
  const wanted = useRef({ path, count: 0 }); // pages that were asked for, of which one may still be read
  if (wanted.current.path !== path) wanted.current = { path, count: 0 };
  const after = (next) => readInTurn(`${path}${path.includes("?") ? "&" : "?"}after=${encodeURIComponent(next)}`);
  const last = kept.length ? kept[kept.length - 1] : first.data;
  const newest = useRef(null);
  newest.current = { path, data: first.data };

  const read = async () => {
    const of = first.data;
    const pages = [];
    for (let next = of.next; next && pages.length < wanted.current.count; next = pages[pages.length - 1].next) {
      pages.push(await after(next));
    }
    if (newest.current.path === path && newest.current.data === of) setRest({ path, of, pages });
  };
  useEffect(() => {
    if (first.data && wanted.current.count && rest.of !== first.data) read().catch(() => {}); // the next one says it
  }, [first.data]);
  const more = async () => {
    const of = first.data;
    const { current } = wanted;
    current.count += 1;
    try {
      const page = await after(last.next);
      // A list that was read again meanwhile has other pages: that reading brings as many as are wanted.
      if (newest.current.path === path && newest.current.data === of) setRest({ path, of, pages: [...kept, page] });
    } catch (error) {
      current.count -= 1;
      throw error;
    }
  };
  const rows = first.data ? [first.data, ...kept].flatMap(pick) : [];
  return { ...first, rows, more: last?.next ? more : null };
}
