// Prints the names of all methods.

import { Client } from "../../../clients/js/src/index.js";

const resources = Object.entries(new Client({ url: "http://unused" }));
const names = resources.flatMap(([resource, of]) =>
  Object.getOwnPropertyNames(Object.getPrototypeOf(of)).map((name) => `${resource}.${name}`),
);
console.log(JSON.stringify(names.filter((each) => !each.endsWith(".constructor"))));
