// The stream of changes: one for the page, while it can be seen. A browser has six connections to a server, so windows
// in the background give theirs back.

import { useEffect } from "../vendor/htm-preact.js";
import { get } from "./api.js";
import { value } from "./value.js";

const GATHER_MS = 250; // so long the server gathers what changes
const TOGETHER_MS = 30; // what it has gathered comes at once
const HIDDEN_MS = 15000;
const AGAIN_MS = [1000, 2000, 5000, 10000];

/** "on", "off" (the page tries again), or "" where none is wanted. */
export const state = value("");

const followers = new Set();
let source = null;
let skus = new Map();
let all = false;
let gathering = 0;
let failures = 0;
let isAway = false; // since it was on, something may have been missed, or could not be read
let timer = 0;

function tell(change) {
  if (change === undefined) all = true;
  else skus.set(change.sku, change);
  if (gathering) return;
  gathering = setTimeout(() => {
    const told = { skus, all };
    skus = new Map();
    all = false;
    gathering = 0;
    for (const each of [...followers]) each(told);
  }, TOGETHER_MS);
}

function close() {
  clearTimeout(timer);
  source?.close();
  source = null;
}

function away() {
  isAway = true;
  state.set("off");
}

function later() {
  close();
  away();
  get("/v1/console/session", { unattended: true }).catch(() => {}); // one that has ended is noticed by this
  timer = setTimeout(open, AGAIN_MS[Math.min(failures++, AGAIN_MS.length - 1)]);
}

function open() {
  close();
  source = new EventSource(`/v1/changes?gather_ms=${GATHER_MS}`);
  source.onopen = () => {
    failures = 0;
    state.set("on");
    if (isAway) tell();
    isAway = false;
  };
  source.addEventListener("availability", (event) => tell(JSON.parse(event.data)));
  source.addEventListener("reset", () => tell());
  source.addEventListener("closed", later);
  source.onerror = () => {
    if (source?.readyState === EventSource.CLOSED) later();
    else away();
  };
}

function seen() {
  clearTimeout(timer);
  if (document.visibilityState === "hidden") timer = setTimeout(close, HIDDEN_MS);
  else if (state.now && !source) {
    open();
    tell(); // what was missed meanwhile
  }
}

/** Begins to follow the stream. */
export function start() {
  state.set("off");
  document.addEventListener("visibilitychange", seen);
  open();
}

/** Stops. */
export function stop() {
  document.removeEventListener("visibilitychange", seen);
  close();
  state.set("");
}

/**
 * Calls `told({skus, all})` some four times a second at most: which SKUs have changed, each with its newest
 * availability (a Map), and whether any may have. A screen that changed something itself need not wait for it:
 * `again()` of useLoad.
 */
export function useChanges(told, follows = []) {
  useEffect(() => {
    followers.add(told);
    return () => followers.delete(told);
  }, follows);
}
