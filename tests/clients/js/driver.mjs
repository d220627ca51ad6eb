// Calls methods of the client for a test in another language: a request a line on stdin, an answer a line on stdout.
//
//   node driver.mjs URL KEY POLICY

import { createInterface } from "node:readline";

import { Client, Refused } from "../../../clients/js/src/index.js";

const [url, key, policy] = process.argv.slice(2);
const tries = [];
const client = new Client({ url, key, policy: JSON.parse(policy), observe: (one) => tries.push(one.status) });

async function carriedOut({ resource, method, args }) {
  try {
    const answer = await client[resource][method](...args);
    if (answer instanceof Uint8Array) return { text: new TextDecoder().decode(answer) };
    return { answer: Array.isArray(answer) ? { results: answer } : answer };
  } catch (error) {
    if (error instanceof Refused) return { problem: error.problem };
    return { error: `${error.name}: ${error.message}` };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  carriedOut(asked).then((came) => process.stdout.write(`${JSON.stringify({ id: asked.id, ...came })}\n`));
}
