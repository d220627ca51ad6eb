// The keyboard, and scanners: a scanner is a keyboard that types fast and ends in Enter.

import { useEffect } from "../vendor/htm-preact.js";

const GAP_MS = 120;
const LEAST = 4;
const GS = "\u001d"; // what a GS1 label has between its fields; scanners type it as F8 or Ctrl+]

const scanners = [];
let typed = "";
let lastMs = 0;
let inUse = null; // the field that somebody types into, until they are done with it

const separates = (event) => event.key === "F8" || (event.ctrlKey && event.key === "]");

const types = (element) =>
  element instanceof HTMLElement && (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName));

const TAKES_LABELS = "[data-scan], [data-search]";

/** Writes into a field what a scanner separates a label's parts by: without it, they would be other numbers. */
function separate(event) {
  event.preventDefault();
  const field = event.target;
  field.setRangeText(GS, field.selectionStart, field.selectionEnd, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

function pressed(event) {
  inUse = types(event.target) && event.key !== "Enter" ? event.target : null;
  if (separates(event) && types(event.target) && event.target.matches(TAKES_LABELS)) separate(event);
  if (types(event.target) || document.querySelector("dialog[open]")) {
    typed = "";
    return;
  }
  // When the key was pressed, not when the page came to hear of it: a scan must survive a page that is busy drawing.
  if (event.timeStamp - lastMs > GAP_MS) typed = "";
  lastMs = event.timeStamp;
  if (event.key === "Enter") {
    const scanned = typed;
    typed = "";
    if (scanned.trim()) event.preventDefault(); // of a scan that is too short, too, it presses no button
    if (scanned.length < LEAST || !scanners.length) return;
    scanners[scanners.length - 1](scanned);
  } else if (separates(event)) {
    typed += GS;
    event.preventDefault();
  } else if (event.ctrlKey || event.metaKey || event.altKey) {
    typed = "";
  } else if (event.key.length === 1) {
    if (event.key === "/" && !typed) {
      const search = document.querySelector("[data-search]");
      if (search) {
        event.preventDefault();
        search.focus();
        search.select();
        inUse = search;
        return;
      }
    }
    if (event.key === " " && typed) event.preventDefault(); // a space of a scan presses no button that has the focus
    typed += event.key;
  }
}

document.addEventListener("keydown", pressed);
document.addEventListener("pointerdown", ({ target }) => (inUse = types(target) ? target : null));
document.addEventListener("keyup", (event) => event.key === " " && typed && event.preventDefault());

/** Whether somebody is typing, or scanning, into a field: who moves the focus now, takes the rest of it away. */
export const isTyping = () => inUse !== null && inUse === document.activeElement;

const SCANNER_GAP_MS = 60; // between two keys; nobody types a word so fast
const SCANNER_LEAST = 6;
const PRESSED_BY_SPACE = "button, select, [type=checkbox], [type=radio]";

/**
 * Returns what tells a scan in a field from what a person types there. Give it each keydown: at the Enter of a scan it
 * returns {text, before}, what was scanned and what the field held before; else null.
 */
export function scanWatch() {
  let last = 0;
  let text = "";
  let before = "";
  return (event) => {
    const isFast = event.timeStamp - last <= SCANNER_GAP_MS;
    if (event.key === "Enter") {
      const scan = isFast && text.length >= SCANNER_LEAST ? { text, before } : null;
      text = "";
      return scan;
    }
    if (isFast && text && separates(event)) {
      event.preventDefault();
      text += GS;
      last = event.timeStamp;
      return null;
    }
    if (event.key.length !== 1 || event.ctrlKey || event.metaKey || event.altKey) return null;
    if (!isFast) {
      text = "";
      before = event.target.value ?? "";
    }
    if (event.key === " " && text && event.target.matches(PRESSED_BY_SPACE)) event.preventDefault();
    text += event.key;
    last = event.timeStamp;
    return null;
  };
}

/** Hands a scan that went into a field to whoever takes scans. */
export function scanned(text) {
  if (scanners.length) scanners[scanners.length - 1](text);
}

/** Calls `scanned(text)` for each scan that no field takes; of several, the innermost and newest gets it. */
export function useScan(scanned) {
  useEffect(() => {
    scanners.push(scanned);
    return () => scanners.splice(scanners.indexOf(scanned), 1);
  }, [scanned]);
}
