// Reads deliveries of webhooks: a list of them on stdin; on stdout, for each the events, or the name of the error.

import { text } from "node:stream/consumers";

import { read } from "../../../clients/js/src/webhooks.js";

async function readOne({ body, headers, secrets, now_ms, options }) {
  const raw = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const toleranceS = "toleranceS" in options ? Number(options.toleranceS) : undefined;
  try {
    const events = await read(raw, headers, secrets, { toleranceS, now: () => now_ms });
    return { events };
  } catch (error) {
    return { error: error.name, message: error.message };
  }
}

console.log(JSON.stringify(await Promise.all(JSON.parse(await text(process.stdin)).map(readOne))));
