// Prints the request that each method makes: a list of calls on stdin, the list of requests on stdout.

import { text } from "node:stream/consumers";

import { Client } from "../../../clients/js/src/index.js";

async function requestOf({ resource, method, args }) {
  const made = [];
  const observed = [];
  const client = new Client({
    url: "http://unused",
    observe: ({ call }) => observed.push(call),
    fetch: async (url, init) => {
      made.push({ url, ...init });
      return new Response('{"type":"","title":"","status":418,"detail":"","outcome":"made_up","retryable":false}', {
        status: 418,
        headers: { "Content-Type": "application/problem+json" },
      });
    },
  });
  await client[resource][method](...args).catch((error) => {
    if (error.outcome !== "made_up") throw error;
  });
  const [{ url, method: verb, headers, body }] = made;
  return { url, verb, headers, body: body ?? null, repeat: observed[0].repeat, key: observed[0].key };
}

const asked = JSON.parse(await text(process.stdin));
console.log(JSON.stringify(await Promise.all(asked.map(requestOf))));
