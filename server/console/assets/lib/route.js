// Where the page is: "#/product/ABC?tab=history" is the screen `product` with the names ["ABC"] and a query.

import { value } from "./value.js";

function read() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const names = path.split("/").map((name) => {
    try {
      return decodeURIComponent(name);
    } catch {
      return name;
    }
  });
  const asked = Object.fromEntries(new URLSearchParams(query));
  return { screen: names[0], names: names.slice(1).filter(Boolean), query: asked };
}

export const route = value(read());
addEventListener("hashchange", () => route.set(read()));

/** The address of a screen: to("product", ["ABC"], {tab: "history"}). What is empty in the query is left out. */
export function to(screen, names = [], query = {}) {
  const given = Object.entries(query).filter(([, each]) => each !== undefined && each !== null && each !== "");
  const path = [screen, ...names].map(encodeURIComponent).join("/");
  return `#/${path}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}

/** Goes to a screen. `replace`: the place before is not one to come back to, as while somebody types. */
export function go(address, { replace = false } = {}) {
  if (!replace) location.hash = address;
  else {
    history.replaceState(null, "", address);
    route.set(read());
  }
}
