// Written by `python -m clients.generate`; a test compares it with the API.

export * from "./availability.js";
export * from "./changes.js";
export * from "./channels.js";
export * from "./common.js";
export * from "./files.js";
export * from "./keys.js";
export * from "./listings.js";
export * from "./locations.js";
export * from "./orders.js";
export * from "./problems.js";
export * from "./reports.js";
export * from "./reservations.js";
export * from "./rules.js";
export * from "./shortages.js";
export * from "./skus.js";
export * from "./sources.js";
export * from "./stock.js";
export * from "./supply.js";
