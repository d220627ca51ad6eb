// Follows what changes, and prints each change on a line; the last line says why it ended.
//
//   node follow.mjs URL KEY METHOD AFTER

import { Client } from "../../../clients/js/src/index.js";

const [url, key, method, after] = process.argv.slice(2);
const client = new Client({ url, key, policy: { pauseMs: 20, pauseMaxMs: 200 } });
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const onState = (state) => say({ state });

try {
  for await (const change of client.changes[method]({ after, onState })) say(change);
} catch (error) {
  say({ ended: error.name, message: error.message });
}
