// What is kept in this browser: language, light or dark, the name of who signed in last, and whether they still are.

import { value } from "./value.js";

const NAME = "holdfast-console";

function read() {
  try {
    return JSON.parse(localStorage.getItem(NAME)) || {};
  } catch {
    return {};
  }
}

export const settings = value({ language: "", theme: "", person: "", signedIn: false, ...read() });

export function choose(changed) {
  settings.set({ ...settings.now, ...changed });
  try {
    localStorage.setItem(NAME, JSON.stringify(settings.now));
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}

/** Calls `told()` when another window of this browser has chosen something, which holds here, too. */
export function followOthers(told) {
  addEventListener("storage", (event) => {
    if (event.key !== NAME) return;
    settings.set({ ...settings.now, ...read() });
    told();
  });
}

/** Shows the page light, dark, or as the system is (""). */
export function showTheme() {
  const { theme } = settings.now;
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}
